"""A provider of unified login that checks what it is asked and can be told to lie; a process of its own.

`python -m tests.provider PORT CLIENT SECRET` prints nothing and serves until it is killed. `/lie?name=…` chooses the
next answer's mistake; `/authorize` asks nobody and sends the browser straight back.
"""

import json
import sys
import time
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

OWN, ALIEN = (RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False) for _ in range(2))
CODES: dict[str, dict[str, str]] = {}
STATE = {"lie": "", "amr": "pwd"}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if url.path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "end_session_endpoint": f"{self.issuer}/goodbye",
                }
            )
        elif url.path == "/keys":
            self.answer({"keys": [OWN.as_dict(private=False)]})
        elif url.path == "/set":
            STATE.update(query)
            self.answer({})
        elif url.path == "/authorize":
            code = sha256(json.dumps(query).encode()).hexdigest()
            CODES[code] = query
            back = {"code": code, "state": query["state"]}
            back |= {"iss": "http://127.0.0.1:9"} if STATE["lie"] == "other iss" else {}
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
            self.end_headers()
        else:
            self.answer({}, 404)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        asked = CODES.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        proof = b64decode(self.headers.get("authorization", "").removeprefix("Basic ")).decode()
        genuine = (
            asked is not None
            and asked["code_challenge_method"] == "S256"
            and asked["code_challenge"] == challenge
            and asked["redirect_uri"] == form["redirect_uri"]
            and unquote(proof) == f"{sys.argv[2]}:{sys.argv[3]}"
        )
        if not genuine or asked is None:
            self.answer({"error": "invalid_grant"}, 400)
            return
        self.answer({"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked["nonce"])})

    def token(self, nonce: str) -> str:
        lie, now = STATE["lie"], int(time.clock_gettime(time.CLOCK_REALTIME))
        claims = {
            "iss": self.issuer,
            "sub": "officer-1",
            "aud": sys.argv[2],
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            "amr": STATE["amr"].split(),
            "preferred_username": "bao.wurihan",
        }
        lies: dict[str, dict[str, object]] = {
            "other issuer": {"iss": "http://127.0.0.1:9"},
            "other audience": {"aud": "another-client"},
            "two audiences": {"aud": [sys.argv[2], "another-client"], "azp": sys.argv[2]},
            "other nonce": {"nonce": "replayed"},
            "expired": {"exp": now - 3600, "iat": now - 7200},
            "from tomorrow": {"nbf": now + 86400},
            "no subject": {"sub": ""},
            "number as subject": {"sub": 1},
        }
        claims |= lies.get(lie, {})
        if lie == "no nonce":
            del claims["nonce"]
        if lie == "no signature":
            parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
            return ".".join([*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])
        if lie == "shared secret":
            from joserfc.jwk import OctKey

            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(sys.argv[3]), algorithms=["HS256"])
        key = ALIEN if lie == "other key" else OWN
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
