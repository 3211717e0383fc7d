"""Checks deploy/: Kubernetes' own kinds by its schemas (kubernetes-validate), and that probes and arguments are the server's. Prints ok."""

import pathlib
import sys

import kubernetes_validate
import yaml

deploy = pathlib.Path(sys.argv[1])
pods = 0
for path in sorted(deploy.glob("*.yaml")):
    for document in yaml.safe_load_all(path.read_text()):
        if not document["apiVersion"].startswith("serving.kserve.io"):
            kubernetes_validate.validate(document, "1.30", strict=True)
        spec = document["spec"]
        containers = spec.get("template", {}).get("spec", spec).get("containers", [])
        for container in containers:
            pods += 1
            assert not container.get("resources", {}).get("limits", {}).get("cpu"), f"{path}: a limit of cpu stalls batches"
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                if kind in container:
                    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
                    get = container[kind]["httpGet"]
                    wanted = "/v2/health/ready" if kind == "readinessProbe" else "/v2/health/live"
                    assert get["path"] == wanted, f"{path}: {kind} asks {get['path']}"
                    assert get["port"] in ports or get["port"] in ports.values(), f"{path}: {kind} asks port {get['port']}"
assert pods == 3, pods
print("ok")
