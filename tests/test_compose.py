"""compose.yaml and the Dockerfile, without Docker: what can be told by reading them.

tests/label_studio/test_postgresql.py starts the same processes with the same environment.
"""

import ast
import importlib.resources
import importlib.util
import ipaddress
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml
from packaging.requirements import Requirement

from ml_backend.api.server import graceful_seconds
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import STILL_BANNED
from ml_backend.label_studio.client import TESTED_VERSION, webhook_url
from ml_backend.settings import Settings
from tests.compose import ROOT, SECRETS, TEXT, compose, variables

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
DATABASE, STUDIO, BACKEND = (SERVICES[name] for name in ("database", "label-studio", "backend"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
GUIDE = (ROOT / "docs" / "team.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def instructions(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name} +(.*)$", DOCKERFILE)


def seconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([sm])", duration).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


# The file as a whole


def test_it_is_what_docker_compose_reads() -> None:
    schema = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor"
    rules = json.loads((schema / "compose-spec.json").read_text("utf-8"))
    jsonschema.validate(yaml.safe_load(TEXT), rules)


def test_no_key_stands_twice() -> None:
    """YAML takes the last one without a word."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), node.start_mark
            return super().construct_mapping(node, deep)

    yaml.load(TEXT, Strict)  # a SafeLoader


@pytest.mark.parametrize("secret", SECRETS)
def test_a_missing_secret_is_named(secret: str) -> None:
    with pytest.raises(LookupError, match=f"set {secret} in .env"):
        compose(**{secret: ""})


def test_the_example_lists_every_variable_with_its_default() -> None:
    used = variables(TEXT)
    assert {name for name, default in used.items() if default is None} == set(SECRETS)
    must = dict(re.findall(r"(?m)^(\w+)=(.*)$", EXAMPLE))
    may = dict(re.findall(r"(?m)^#(\w+)=(.*)$", EXAMPLE))
    assert must == dict.fromkeys(SECRETS, ""), "a copy must not start with anybody's secrets"
    assert used.keys() == must.keys() | may.keys()
    # Another address is shown than the default, which would explain nothing.
    assert {name: used[name] for name in may} == {**may, "PUBLIC_URL": "http://127.0.0.1:8080"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_comes_back_is_watched_and_kept_small(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "healthcheck" in service or (service["build"] and instructions("HEALTHCHECK"))
    for needed, how in service.get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[needed]


def test_label_studio_is_pinned_to_what_is_tested() -> None:
    assert STUDIO["image"] == f"heartexlabs/label-studio:{TESTED_VERSION}"
    assert f"label-studio=={TESTED_VERSION}" in PROJECT["optional-dependencies"]["label-studio"]


def test_the_database_is_pinned_to_a_version_that_reads_its_files() -> None:
    """Not to the one of the tests: they take what is installed, which the guide says."""
    pinned = re.fullmatch(r"postgres:(\d+)-\w+", DATABASE["image"])
    assert pinned
    assert f"not in\nthat of `compose.yaml` ({pinned[1]})" in GUIDE


def test_label_studio_and_the_backend_are_reachable_only_from_this_machine() -> None:
    assert [service.get("ports") for service in (DATABASE, STUDIO, BACKEND)] == [
        None,
        ["127.0.0.1:8080:8000"],
        ["127.0.0.1:9090:9090"],
    ]


def test_what_is_kept_is_in_volumes_that_exist() -> None:
    mounted = [volume for service in SERVICES.values() for volume in service["volumes"]]
    assert sorted(mounted) == [
        "backend:/data",
        "database:/var/lib/postgresql/data",
        "label-studio:/label-studio/data",
    ]
    assert sorted(compose()["volumes"]) == ["backend", "database", "label-studio"]


def test_the_networks_exist_and_keep_the_backend_from_the_database() -> None:
    assert set(compose()["networks"]) == {"storage", "spanferry"}
    assert DATABASE["networks"] == ["storage"]
    assert STUDIO["networks"] == ["storage", "spanferry"]
    assert list(BACKEND["networks"]) == ["spanferry"]


# Label Studio


def test_label_studio_gets_the_database_there_is() -> None:
    given, made = STUDIO["environment"], DATABASE["environment"]
    assert given["POSTGRE_HOST"] in SERVICES
    assert given["DJANGO_DB"] == "default"
    for theirs, ours in (("NAME", "DB"), ("USER", "USER"), ("PASSWORD", "PASSWORD")):
        assert given[f"POSTGRE_{theirs}"] == made[f"POSTGRES_{ours}"]


def label_studio_sources() -> Path:
    found = importlib.util.find_spec("label_studio")
    if found is None or found.origin is None:
        pytest.skip("Label Studio is not installed: pip install 'spanferry[label-studio]'")
    return Path(found.origin).parent


def test_label_studio_knows_every_setting() -> None:
    sources = label_studio_sources()
    files = (*sources.glob("core/settings/*.py"), sources / "server.py")
    read = {
        name
        for file in files
        for name in re.findall(r"get_(?:bool_|)env(?:_list)?\(\s*'(\w+)'", file.read_text("utf-8"))
    }
    names = {name.removeprefix("LABEL_STUDIO_") for name in STUDIO["environment"]}
    assert "'SECRET_KEY'" in (sources / "core/utils/secret_key.py").read_text("utf-8")
    # Read by the image's uwsgi.ini.
    assert names - read - {"SECRET_KEY"} == {"UWSGI_WORKER_HARAKIRI"}


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def banned_by_default() -> list[Network]:
    tree = ast.parse((label_studio_sources() / "core/utils/io.py").read_text("utf-8"))
    (default,) = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "default_banned_subnets"
    ]
    return [ipaddress.ip_network(subnet) for subnet in default]


def addresses(networks: list[Network], version: int) -> Iterator[tuple[int, int]]:
    """The same addresses, written in one way: the first and last of each run of them."""
    of_version = (network for network in networks if network.version == version)
    for network in ipaddress.collapse_addresses(of_version):
        yield int(network[0]), int(network[-1])


@pytest.mark.parametrize(
    ("listed", "lifted"),
    [
        pytest.param(
            STUDIO["environment"]["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"],
            BACKEND["networks"]["spanferry"]["ipv4_address"],
            id="of a team: the backend's address",
        ),
        pytest.param(STILL_BANNED, "127.0.0.0/8", id="of a demo: the machine itself"),
    ],
)
def test_label_studio_may_call_the_backend_and_no_other_private_address(
    listed: str, lifted: str
) -> None:
    banned = [ipaddress.ip_network(subnet) for subnet in listed.split(",")]
    usual, backend = banned_by_default(), ipaddress.ip_network(lifted)
    private = next(network for network in usual if backend.subnet_of(network))
    but_one = [network for network in usual if network != private]
    but_one += private.address_exclude(backend)

    assert list(addresses(banned, 4)) == list(addresses(but_one, 4))
    assert list(addresses(banned, 6)) == list(addresses(usual, 6))


def test_the_default_list_gives_way_to_ours() -> None:
    assert STUDIO["environment"]["LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS"] == "false"


def test_nobody_else_gets_the_address_of_the_backend() -> None:
    (pool,) = compose()["networks"]["spanferry"]["ipam"]["config"]
    subnet, given_out = (ipaddress.ip_network(pool[key]) for key in ("subnet", "ip_range"))
    backend = ipaddress.ip_address(BACKEND["networks"]["spanferry"]["ipv4_address"])
    assert backend in subnet
    assert given_out.subnet_of(subnet)
    assert backend not in given_out
    assert str(backend) != pool["gateway"]


def test_the_name_of_the_backend_is_one_a_webhook_may_have() -> None:
    pytest.importorskip("django", reason="Label Studio is not installed")
    from django.core.validators import URLValidator  # noqa: PLC0415  Label Studio brings it

    (alias,) = BACKEND["networks"]["spanferry"]["aliases"]
    url = f"http://{alias}:9090"
    URLValidator()(webhook_url(url))
    assert f"--backend {url}\n" in GUIDE


def test_the_switch_for_secure_cookies_is_a_number() -> None:
    assert int(STUDIO["environment"]["LABEL_STUDIO_SESSION_COOKIE_SECURE"]) == 0
    behind_tls = compose(HTTPS_ONLY="1", PUBLIC_URL="https://label.example.org")
    given = behind_tls["services"]["label-studio"]["environment"]
    assert int(given["LABEL_STUDIO_SESSION_COOKIE_SECURE"]) == 1
    assert given["LABEL_STUDIO_HOST"] == given["LABEL_STUDIO_CSRF_TRUSTED_ORIGINS"]


def test_nothing_is_sent_to_its_makers() -> None:
    given = STUDIO["environment"]
    off = ("COLLECT_ANALYTICS", "LATEST_VERSION_CHECK", "SENTRY_DSN", "FRONTEND_SENTRY_DSN")
    assert [given[f"LABEL_STUDIO_{name}"] for name in off] == ["false", "false", "", ""]


# The backend


def image_environment() -> dict[str, str]:
    pairs = [pair for line in instructions("ENV") for pair in line.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def settings() -> Settings:
    """Refuses names that are no settings."""
    return Settings.from_env({**image_environment(), **BACKEND["environment"]})


def test_gunicorn_listens_where_the_others_look() -> None:
    found = settings()
    assert found.host == "0.0.0.0"
    assert instructions("EXPOSE") == [str(found.port)]
    assert f"http://127.0.0.1:{found.port}/health" in DOCKERFILE
    assert found.auth
    assert found.password == SECRETS["SPANFERRY_BACKEND_PASSWORD"]
    # Two would answer with two versions while a model is swapped.
    assert found.workers == 1


def test_what_the_backend_writes_is_in_its_volume() -> None:
    assert [f"backend:{settings().data_dir}"] == BACKEND["volumes"]
    assert instructions("VOLUME") == [str(settings().data_dir)]
    assert BACKEND["read_only"] is True
    assert image_environment()["HF_HOME"].startswith(f"{settings().data_dir}/")


def test_the_command_is_one_of_ours() -> None:
    (shown,) = re.findall(r'SERVE_OPTIONS="(.+)"', GUIDE)
    with_model = compose(SERVE_OPTIONS=shown)["services"]["backend"]["command"]
    of_the_image = json.loads(instructions("CMD")[-1])
    for command in (shlex.split(BACKEND["command"]), shlex.split(with_model), of_the_image):
        program, verb, *options = command
        assert program in PROJECT["scripts"]
        verbs = typer.main.get_command(app).commands
        verbs[verb].make_context(verb, list(options))  # fails on an option that does not exist


def test_docker_waits_for_requests_that_have_begun() -> None:
    assert seconds(BACKEND["stop_grace_period"]) > graceful_seconds(settings())


# The image


def test_the_image_is_made_of_files_that_are_there_and_not_ignored() -> None:
    everything, *taken, rubbish = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert (everything, rubbish) == ("*", "**/__pycache__")
    own = [copy.split()[:-1] for copy in instructions("COPY") if not copy.startswith("--from")]
    copied = [source for sources in own for source in sources]
    assert sorted(f"!{source}" for source in copied) == sorted(taken)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    assert set(packaged["build"]["targets"]["wheel"]["packages"]) < set(copied)
    assert {PROJECT["readme"], *PROJECT["license-files"]} < set(copied)


def test_what_is_installed_is_what_is_tested() -> None:
    (install,) = re.findall(r"bin/pip install (.*)", DOCKERFILE)
    assert install == '-c constraints.txt ".[serve]"'
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = dict(line.replace("_", "-").lower().split("==") for line in lines)
    serve = PROJECT["optional-dependencies"]["serve"]
    for needed in map(Requirement, PROJECT["dependencies"] + serve):
        assert needed.specifier.contains(pinned[needed.name.lower()]), needed
    assert [name for name in pinned if name.startswith(("nvidia", "triton"))] == []


def test_it_is_built_on_the_oldest_python_we_support_and_runs_as_nobody_special() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=")
    bases = [base.split()[0] for base in instructions("FROM")]
    assert bases == [f"python:{oldest}-slim-bookworm"] * 2
    (user,) = instructions("USER")
    assert re.search(rf"useradd --uid [1-9]\d{{3,}} .* {user} ", DOCKERFILE)
    after = DOCKERFILE.split(f"USER {user}", 1)[1]
    assert not re.search(r"(?m)^(RUN|COPY|ADD|USER) ", after)


# The guide


def test_the_guide_names_services_files_and_verbs_that_exist() -> None:
    services = re.findall(
        r"docker compose (?:logs|stop|exec(?: -\S+(?: LABEL\w+)?)*) ([\w-]+)", GUIDE
    )
    assert set(services) == set(SERVICES)
    verbs = typer.main.get_command(app).commands
    assert set(re.findall(r"(?:^ +|backend |`)spanferry ([a-z-]+)", GUIDE, re.MULTILINE)) <= set(
        verbs
    )
    assert set(re.findall(r"spanferry_(\w+)", GUIDE)) <= set(compose()["volumes"])
    mentioned = set(re.findall(r"\b([A-Z]+_[A-Z_]+)\b", GUIDE))
    assert mentioned <= variables(TEXT).keys() | {"LABEL_STUDIO_URL"}
