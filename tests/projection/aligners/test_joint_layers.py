"""The parts of the joint aligner's network, against values by hand."""

import torch

from projection.aligners.joint_layers import TEMPERATURE, BorderReader, similarity
from tests.projection.aligners.joint_models import shaken


def test_the_similarity_is_a_cosine_by_the_temperature_and_what_both_directions_share() -> None:
    """Around the mean, (1, 0) and (-1, 0) remain of both sides; the third word is padding."""
    source, target, centre = torch.zeros(1, 3, 4), torch.zeros(1, 2, 4), torch.zeros(4)
    source[0, :2, 0] = torch.tensor([3.0, 1.0])
    target[0, :, 0] = torch.tensor([1.0, 3.0])
    centre[0] = 2
    is_source, is_target = torch.tensor([[True, True, False]]), torch.tensor([[True, True]])

    cosines, shared = similarity(source, target, is_source, is_target, centre)[0]

    expected = torch.tensor([[-1.0, 1.0], [1.0, -1.0], [0.0, 0.0]])
    assert torch.allclose(cosines * TEMPERATURE, expected, atol=1e-5)
    assert torch.allclose(shared, expected.clamp(min=0), atol=1e-5)


def test_borders_are_corrected_by_neighbours_within_the_text_alone() -> None:
    """A word of padding has no say, and a word three or less away has."""
    borders = shaken(BorderReader(16))
    beliefs, target = torch.rand(1, 2, 12), torch.rand(1, 12, 16)
    entities, words = torch.rand(1, 16), torch.ones(1, 1, 12)
    words[..., 10:] = 0
    before = borders(beliefs, target, entities, words)
    assert before.shape == (1, 12)
    changed = target.clone()
    changed[0, 10:] += 5
    after = borders(beliefs, changed, entities, words)
    assert torch.allclose(after[:, :10], before[:, :10], atol=1e-6)
    changed = beliefs.clone()
    changed[0, 0, 0] += 5
    moved = (borders(changed, target, entities, words) - before)[0].abs() > 1e-5
    assert moved.tolist() == [True] * 4 + [False] * 8
