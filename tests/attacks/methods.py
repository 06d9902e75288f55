"""Methods that a path lacks, ids that nobody stored, and methods that nobody knows."""

from tests.attacks.attack import Attack, request

_ID = "0" * 64

ATTACKS = [
    *(
        Attack(request(method, path), 405)
        for method, path in (
            ("GET", "/v1/weights"),
            ("PUT", "/v1/weights"),
            ("DELETE", f"/v1/recipes/{_ID}"),
            ("PATCH", "/v1/names/a/b"),
            ("DELETE", "/v1/names/a/b"),
            ("POST", "/livez"),
            ("TRACE", "/livez"),
            ("OPTIONS", "/v1/plan"),
        )
    ),
    *(
        Attack(request("GET", path), 404)
        for path in (
            f"/v1/recipes/{_ID}",
            f"/v1/recipes/{_ID}/model.safetensors",
            "/v1/recipes/latest",
            "/v1/names/nobody/nothing",
            "/nobody/nothing/resolve/main/config.json",
            "/v1/r/" + "A" * 100,
            "/wp-login.php",
        )
    ),
]
