"""What deploys the shop says the same as the shop; `make deploy-check` asks tools about it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from django.conf import settings
from django.urls import reverse

from products.import_admin import MAX_BODY_SIZE
from products.uploads import MAX_UPLOAD_SIZE

TOP = Path(settings.BASE_DIR)


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def variables_by_file():
    """{file: names of what it sets in the environment of the shop}"""
    compose = yaml.safe_load(read("deploy/compose.yaml"))["x-shop"]["environment"]
    beanstalk = yaml.safe_load(read(".ebextensions/shop.config"))["option_settings"]
    names = ("deployment", "worker", "migrate")
    pods = [read(f"deploy/kubernetes/{name}.yaml") for name in names]
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
    (web,) = re.findall(r"^web: (.*)", read("Procfile"), re.MULTILINE)
    assert web.endswith(f" && exec {' '.join(json.loads(command))}")


def test_each_road_starts_a_worker():
    command = ["python", "manage.py", "db_worker"]
    # There it shares a machine with the server, whose requests go before mails.
    assert f"worker: exec nice -n 15 {' '.join(command)}\n" in read("Procfile")
    assert yaml.safe_load(read("deploy/compose.yaml"))["services"]["worker"]["command"] == command
    assert f"Command: [{', '.join(command)}]" in read("deploy/cloudformation.yaml")
    pod = yaml.safe_load(read("deploy/kubernetes/worker.yaml"))["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"] == command
    assert "- worker.yaml" in read("deploy/kubernetes/kustomization.yaml")


def test_pipeline_deploys_the_image_to_servers_and_workers():
    text = read("deploy/cloudformation.yaml")
    (container,) = re.findall(r'"name":"(\w+)"', read("deploy/buildspec.yml"))
    services = re.findall(r"ServiceName: !GetAtt (\w+)\.Name", text)
    assert services == ["Service", "WorkerService"]
    assert len(re.findall(rf"^ *- Name: {container}\b", text, re.MULTILINE)) == len(services)


def test_nginx_has_the_same_limits_on_each_road():
    """10 MB and 25 seconds for pictures; an ingress has them for all paths."""
    platform = ".platform/nginx/conf.d"
    roads = {
        ("deploy/nginx.conf",): ["3m", "10m", "10s", "25s"],
        ("deploy/cloudformation.yaml",): ["3m", "10m", "10s", "25s"],
        (f"{platform}/clients.conf", f"{platform}/elasticbeanstalk/images.conf"): [
            *("3m", "10m", "10s", "25s"),
        ],
        ("deploy/kubernetes/ingress.yaml",): ["10m", "25s"],
    }
    for files, limits in roads.items():
        text = "".join(map(read, files))
        for name in ("client.max.body.size", "proxy.read.timeout"):
            values = set(re.findall(rf"{name}:? (\w+)", text))
            unit = "m" if "size" in name else "s"
            assert values == {limit for limit in limits if limit.endswith(unit)}, (files, name)


def test_nginx_takes_pictures_where_the_shop_does():
    (pattern,) = set(re.findall(r'location ~ "(.*images.*)"', read("deploy/nginx.conf")))
    for file in (
        "deploy/cloudformation.yaml",
        ".platform/nginx/conf.d/elasticbeanstalk/images.conf",
    ):
        assert f'location ~ "{pattern}"' in read(file)
    for name in ("product-image-list", "admin:products_product_images"):
        assert re.search(pattern, reverse(name, args=[12]))
    assert not re.search(pattern, "/api/products/12/")
    assert MAX_UPLOAD_SIZE == 10 * 1024 * 1024


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
