"""What deploys the shop says the same as the shop; `make deploy-check` asks tools about it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from django.conf import settings

from products.import_admin import MAX_BODY_SIZE

TOP = Path(settings.BASE_DIR)


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def variables_by_file():
    """{file: names of what it sets in the environment of the shop}"""
    compose = yaml.safe_load(read("deploy/compose.yaml"))["x-shop"]["environment"]
    beanstalk = yaml.safe_load(read(".ebextensions/shop.config"))["option_settings"]
    pods = [read(f"deploy/kubernetes/{name}.yaml") for name in ("deployment", "migrate")]
    return {
        "compose": set(compose),
        "beanstalk": set(beanstalk["aws:elasticbeanstalk:application:environment"]),
        "kubernetes": set(re.findall(r"\{name: ([A-Z_]+)", "".join(pods))),
        "cloudformation": set(
            re.findall(r"\{Name: ([A-Z_]+),", read("deploy/cloudformation.yaml"))
        ),
    }


def test_every_variable_that_is_set_is_one_the_shop_reads():
    documented = set(re.findall(r"`([A-Z_]+)`", read("docs/settings.md")))
    for file, names in variables_by_file().items():
        assert names, file
        assert names - documented - {"IMAGE"} == set(), file


def test_image_and_procfile_start_the_same_server():
    (command,) = re.findall(r"^CMD (.*)", read("Dockerfile"), re.MULTILINE)
    assert read("Procfile").strip().endswith(f" && exec {' '.join(json.loads(command))}")


def test_nginx_has_the_same_limits_on_each_road():
    roads = ("deploy/nginx.conf", "deploy/cloudformation.yaml", "deploy/kubernetes/ingress.yaml")
    limits = {"client.max.body.size": {"3m"}, "proxy.read.timeout": {"10s"}}
    for file in (*roads, ".platform/nginx/conf.d/clients.conf"):
        for name, value in limits.items():
            assert set(re.findall(rf"{name}:? (\w+)", read(file))) == value, (file, name)


def test_nginx_passes_on_what_an_import_takes():
    """The shop then says what is wrong with a sheet that is a little too large."""
    assert 1.2 * MAX_BODY_SIZE < 3 * 1024 * 1024


def test_nginx_compresses_the_same_on_each_road():
    beanstalk = ".platform/nginx/conf.d/elasticbeanstalk/api.conf"
    roads = ("deploy/nginx.conf", "deploy/cloudformation.yaml", beanstalk, "docs/deploy.md")
    pattern = re.compile(r"^ *(gzip(?!_static)\w* [^;]+;)", re.MULTILINE)
    (directives,) = {frozenset(pattern.findall(read(file))) for file in roads}
    (types,) = [directive for directive in directives if directive.startswith("gzip_types ")]
    assert "gzip on;" in directives
    assert {"application/json", "application/problem+json"} <= set(types.split())


def test_beanstalk_passes_requests_to_the_port_of_the_server():
    options = yaml.safe_load(read(".ebextensions/shop.config"))["option_settings"]
    port = options["aws:elasticbeanstalk:application:environment"]["PORT"]
    location = read(".platform/nginx/conf.d/elasticbeanstalk/api.conf")
    assert f"proxy_pass http://127.0.0.1:{port};" in location


def test_beanstalk_serves_static_files_from_where_they_are_collected():
    options = yaml.safe_load(read(".ebextensions/shop.config"))["option_settings"]
    served = options["aws:elasticbeanstalk:environment:proxy:staticfiles"]
    assert served == {settings.STATIC_URL.rstrip("/"): settings.STATIC_ROOT.name}


def test_beanstalk_installs_what_the_lock_says(tmp_path):
    def files(*options):
        command = ["git", "ls-files", "--cached", *options]
        return set(subprocess.check_output(command, cwd=TOP, text=True).split())

    bundle = files() - files("--ignored", "--exclude-from=.ebignore")
    assert {"Procfile", "manage.py", ".ebextensions/shop.config"} <= bundle
    assert not any(path.startswith(("tests/", "benchmarks/")) for path in bundle)
    assert "requirements.txt" not in bundle
    for path in bundle:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / path, tmp_path / path)
    for hook in ("hooks", "confighooks"):
        subprocess.run([tmp_path / f".platform/{hook}/prebuild/requirements.sh"], check=True)
        pins = (tmp_path / "requirements.txt").read_text(encoding="utf-8").splitlines()
        (tmp_path / "requirements.txt").unlink()
        lock = json.loads(read("Pipfile.lock"))["default"]
        assert len(pins) == len(lock)
        for (name, pin), line in zip(lock.items(), pins, strict=True):
            assert line.startswith(name)
            assert pin["version"] in line
            assert set(re.findall(r"--hash=(\S+)", line)) == set(pin["hashes"])
