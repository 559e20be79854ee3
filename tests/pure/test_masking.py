"""Masking: what must not be written down is found wherever it stands, and everyday text stays as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.blocks.system import Secret
from pydantic import SecretBytes, SecretStr

from prefect_ledger.masking import MASK, is_secret_name, mask_argv, mask_name, mask_text, mask_value, quoted

LAW = settings(max_examples=150, deadline=None)

SECRET_NAMES = """
password passwd pwd token api_key apikey API-Key secret credential credentials access_key private_key auth authorization bearer
session_cookie connection_string dsn passphrase hf_token openaiApiKey db.password AWS_SECRET_ACCESS_KEY client-secret PGPASSWORD
AWS_ACCESS_KEY_ID MinIOSecretKey cookie db_pass github_pat OAuthToken use_auth_token APIKey set-cookie proxyAuthorization access_tokens
connectionString password2 X-Api-Key SECRET_KEY_BASE token_prod jwt id_token model.hub.token apiKeys userPass pw db_pw
""".split()

INNOCENT_NAMES = """
tokenizer max_tokens n_tokens token_count num_tokens tokens author authority monkey keyboard key keys primary_key sort_key foreign_key
secretary passes bypass pad_token eos_token_id next_token stop_token first_pass n_pass password_length num_secrets use_auth requires_auth
storage_key pin_memory signature secret_name token_type cache_key random_key oauth_url credentials_file tokens_per_second compass passenger
learning_rate lr seed batch_size keypoints cookies_eaten authored tokenization secretion x 0 _ -- é
""".split()

INNOCENT_TEXTS = [
    "",
    "0.001",
    "adam",
    "max_tokens=5 tokens: 12",
    "https://host:8080/pkg@1.0",
    "https://unpkg.com/react@18/index.js",
    "https://docs.python.org/3/?q=a@b",
    "git@github.com:org/repo.git",
    "ssh://git@github.com:22/org/repo",
    "postgresql://bob@host/db",
    "http://[::1]:80/x@y",
    "sqlite:////tmp/x@y.db",
    "s3://bucket/key@v",
    "models:/churn@champion",
    "mail bob@x.com",
    "KeyError: 'password'",
    "the password is required",
    "--password is required",
    "the following arguments are required: --password",
    "argument --token: expected one argument",
    "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
    "Error: Option '--token' requires an argument.",
    "Unexpected token: }",
    "password=None, token=null, secret=''",
    "def f(token: str, password: str | None = None) -> None:",
    "if token == other:",
    "for token, count in items:",
    "connect(user, password)",
    "author: Bob, authority=x, primary_key=id, monkey=1, keyboard: qwerty",
    "bearer of bad news; a bearer bond",
    "sk-learn-contrib-something-longer",
    "hf_transformers_model",
    "first pass: 2, passes: 3, forward_pass=3",
    "Authorization failed for user bob",
    "train.py --no-auth data.csv --max-tokens 512",
    "{'tokens': [1, 2], 'tokenizer': 'bpe'}",
    "tokenizer.pad_token = tokenizer.eos_token",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "models:/m-0123456789abcdef0123456789abcdef",
    'Traceback (most recent call last):\n  File "/a/b.py", line 3, in train\n    raise ValueError(f"bad {x}")\nValueError: bad 3',
    "signature=auto; secret_name: db; design: sigmoid",
    "docker run -u 1000:1000 image; git push -u origin main; curl -u bob https://host:80/x",
    "depth\n  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]\napi_key\n  Field required",
    "https://host/?q=a%3Db%3Bc%3Dd&token_count%3D3; upwards=2",
    "2024-01-01T00:00:00Z INFO epoch=3 loss=0.25 key=train/loss",
]

# Where a secret may stand; `{}` is the secret.
PLACES = [
    "postgresql+psycopg://bob:{}@db.example:5432/runs",
    "redis://:{}@cache/0",
    "https://{}@github.com/org/repo",
    "git clone https://x-access-token:{}@github.com/org/repo.git failed",
    "mongodb+srv://u:{}@a,b/?retryWrites=true",
    "GET /v1?token={}&page=2 HTTP/1.1",
    "https://acc.blob/x?sv=2022&sig={}&se=1",
    "https://b.s3/x?X-Amz-Credential={}&X-Amz-Signature={}",
    "Authorization: Bearer {}",
    "authorization: basic {}\r\nHost: x",
    'curl -H "X-Api-Key: {}" https://host',
    "Cookie: a=1; sid={}; theme=dark",
    "password={}",
    "export HF_TOKEN={}",
    "run --api-key {} --epochs 3",
    "run --token={} x",
    "Command '['mysql', '--password', '{}', 'db']' returned non-zero exit status 1.",
    '{{"user": "bob", "password": "{}"}}',
    "{{'access_token': '{}', 'n': 1}}",
    '"{{\\"client_secret\\": \\"{}\\"}}"',
    "Config(user=bob, password={}, port=5432)",
    "Config(user='bob', password='{}', port=5432)",
    "Server=x;Uid=bob;Pwd={};Database=d",
    "    auth=('bob', '{}'),",
    '    os.environ["DB_PASSWORD"] = "{}"',
    'def connect(password: str = "{}") -> None:',
    "headers: [(b'authorization', b'Bearer {}')]",
    "db:\n  password: {}\n  port: 5432",
    "API key: {}",
    "<password>{}</password>",
    "api_key = '''{}'''",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "passphrase: correct {} battery",
    "pw={}",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BODBC+18%7D%3BUID%3Dsa%3BPWD%3D{}%3BDatabase%3Dd",
    "mssql+pyodbc:///?odbc_connect=UID%3Dsa%3Bpwd%3D%7B{}%3B%7D%3BDatabase%3Dd",
    "curl -u bob:{} https://host",
    "Command '['curl', '--user', 'bob:{}', 'https://host']' returned non-zero exit status 22.",
    "1 validation error for Config\ndb.api_key\n  Input should be a valid integer [type=int_parsing, input_value='{}', input_type=str]",
    "  | api_key.int\n  |   Input should be an integer [type=int_parsing, input_value='{}', input_type=str]\n  |     For more, see x",
]

SHAPES = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "11ABCDEFG0" * 4,
    "xoxb-" + "123456789012-abcdefghij",
    "sk-" + "proj-a1B2c3D4e5F6g7H8i9J0",
    "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".SflKxwRJSMeKKF2QT4",
    "pnu_" + "a1B2c3D4" * 4,
    "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "AIza" + "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H",
    "sk_" + "live_a1B2c3D4e5F6g7H8",
]

secrets = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9!$%*+^_~.-]{4,30}[A-Za-z0-9]\Z").filter(
    lambda s: not any(s in place for place in PLACES) and s.lower() not in ("expected", "required")
)
around = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets_are_known(name: str) -> None:
    """A name that people give to secrets is taken for one, however it is spelt."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", INNOCENT_NAMES)
def test_names_of_everyday_training_are_left_alone(name: str) -> None:
    """A name that only looks like a secret's is not taken for one."""
    assert not is_secret_name(name)


@pytest.mark.parametrize("text", INNOCENT_TEXTS)
def test_ordinary_text_stays(text: str) -> None:
    """Text without a secret comes back unchanged."""
    assert mask_text(text) == text


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_found_where_people_leave_it(place: str) -> None:
    """Each known place of a secret is masked, and masking it again changes nothing."""
    masked = mask_text(place.format("Tr0ub4dor.x", "Tr0ub4dor.x"))
    assert "Tr0ub4dor" not in masked
    assert MASK in masked
    assert mask_text(masked) == masked


@pytest.mark.parametrize("shape", SHAPES)
def test_a_known_token_is_found_without_a_name(shape: str) -> None:
    """A token of a well-known form is masked in the middle of prose."""
    assert mask_text(f"called with {shape}, sorry") == f"called with {MASK}, sorry"


def test_what_surrounds_a_secret_is_kept() -> None:
    """Only the secret goes; the reader still sees host, user, option and parameters."""
    assert mask_text("postgresql://bob:pw1@db:5432/runs?sslmode=require") == f"postgresql://bob:{MASK}@db:5432/runs?sslmode=require"
    assert mask_text("https://b.s3/x?X-Amz-Signature=ab&y=2") == f"https://b.s3/x?X-Amz-Signature={MASK}&y=2"
    assert mask_text('curl -H "Authorization: Bearer abc" https://x') == f'curl -H "Authorization: Bearer {MASK}" https://x'
    assert mask_text("{'password': 'x', 'user': 'bob'}") == f"{{'password': '{MASK}', 'user': 'bob'}}"
    assert mask_text("password: abcd=") == f"password: {MASK}"


def test_names_are_not_judged_by_their_looks_alone() -> None:
    """Of a name or path only what a secret's name announces is hidden; one that merely looks like a token stays."""
    assert mask_name("run password=Tr0ub4dor x") == f"run password={MASK} x"
    assert mask_name("a/https://bob:Tr0ub4dor@host") == f"a/https://bob:{MASK}@host"
    assert mask_name("sk-learn-gradient-boosting-2") == "sk-learn-gradient-boosting-2"
    assert mask_text("sk-learn-gradient-boosting-2") == MASK


@pytest.mark.parametrize("value", ["hunter2", b"hunter2", ["hunter2"], {"a": "hunter2"}])
def test_an_error_message_quotes_no_secret(value: object) -> None:
    """A value is quoted masked and short, and under the name of a secret not at all."""
    assert quoted("api_key", value) == MASK
    assert "hunter2" in quoted("loss", value)
    assert "hunter2" not in quoted("loss", f"password={value!r}")
    assert len(quoted("loss", "x" * 10_000)) <= 120


@LAW
@given(st.sampled_from(PLACES), secrets, around, around)
def test_a_secret_planted_anywhere_does_not_survive(place: str, secret: str, before: str, after: str) -> None:
    """Whatever the secret and whatever stands on the lines around it, it is not in the result."""
    text = f"{before}\n{place.format(secret, secret)}\n{after}"
    if secret not in before + after:
        assert secret not in mask_text(text)


FRAGMENTS = st.sampled_from(
    [
        *"\"'`()[]{}=:;,&?@/\\<> \n\t-",
        "://",
        "password",
        "token=",
        "'''",
        '"""',
        "--api-key",
        "Bearer ",
        "a",
        "7",
        MASK,
        "sig=",
        "key",
        "eyJ",
        "İ",
    ]
)


@LAW
@given(st.one_of(st.text(max_size=80), st.lists(FRAGMENTS, max_size=40).map("".join)))
def test_any_text_is_masked_without_an_error_and_once(text: str) -> None:
    """No text makes masking raise, and masking a masked text changes nothing."""
    masked = mask_text(text)
    assert mask_text(masked) == masked


@LAW
@given(st.text(max_size=60))
def test_any_text_can_be_asked_as_a_name(name: str) -> None:
    """No name makes the check raise, and surrounding punctuation does not matter."""
    assert is_secret_name(name) == is_secret_name(f"--{name}__")


@LAW
@given(st.text(st.sampled_from("aBc12 .,/_-éß世\n"), max_size=200))
def test_text_without_stems_or_urls_stays(text: str) -> None:
    """Text in which no secret could be announced is returned as it is."""
    assert mask_text(text) == text


HOSTILE = """
password=|://|password="|\\|token|-----BEGIN PRIVATE KEY-----|eyJ|eyJaaaaaaa.|auth=(|auth=(\\n|sk-|x://u:p/@|--token |token=\\"|auth=(" \\"
password=x))))|password=x,,,,|password: |('password', |bearer |://a:b|((((((((|'"`|password: str[|<password>|?token=&|İ
input_value=|api_key\\n  input_value=|%3Ba%3D%7B|%3Bpwd%3D%7B| -u a:| -u |pw
"""


@pytest.mark.parametrize("unit", HOSTILE.strip().replace("\n", "|").split("|"))
@pytest.mark.long
def test_a_megabyte_of_hostile_text_is_no_trap(unit: str) -> None:
    """A megabyte made to exhaust the patterns is masked in one walk, and a shorter one of the kind stays as it was masked."""
    unit = unit.replace("\\n", "\n")
    assert len(mask_text(unit * (1_000_000 // len(unit)))) <= 5_000_000
    short = mask_text(unit * 200)
    assert mask_text(short) == short


def test_quotes_that_never_close_are_no_trap() -> None:
    """Lines that each open a quote of another depth, none of which closes, are masked to their ends."""
    text = "".join("token=" + "\\" * depth + '"x\n' for depth in range(1, 2_000, 2))
    assert "x\n" not in mask_text(text)


@pytest.mark.parametrize(
    ("argv", "masked"),
    [
        (["t.py", "--api-key", "xyz", "--epochs=3"], ["t.py", "--api-key", MASK, "--epochs=3"]),
        (
            ["t.py", "--password=a b", "db.password=pw", "+hub.token=x"],
            ["t.py", f"--password={MASK}", f"db.password={MASK}", f"+hub.token={MASK}"],
        ),
        (["t.py", "--url", "https://a:b@c/x"], ["t.py", "--url", f"https://a:{MASK}@c/x"]),
        (["curl", "-u", "bob:pw", "-H", "Authorization: Bearer abc"], ["curl", "-u", f"bob:{MASK}", "-H", f"Authorization: Bearer {MASK}"]),
        (["docker", "--user", "1000:1000"], ["docker", "--user", "1000:1000"]),
        (["t.py", "--no-auth", "data.csv", "--max-tokens", "12"], ["t.py", "--no-auth", "data.csv", "--max-tokens", "12"]),
        (["t.py", "--ask-password", "--verbose"], ["t.py", "--ask-password", "--verbose"]),
        (["sh", "-c", "HF_TOKEN=abc python t.py"], ["sh", "-c", f"HF_TOKEN={MASK}"]),
        ([], []),
    ],
)
def test_command_lines_keep_their_form(argv: list[str], masked: list[str]) -> None:
    """A command line has the same words in the same order, with secret values masked."""
    assert mask_argv(argv) == masked


@LAW
@given(st.lists(st.text(max_size=12), max_size=5), secrets, st.sampled_from(["--api-key", "--db.password", "-token", "--client_secret"]))
def test_the_value_of_a_secret_option_does_not_survive(words: list[str], secret: str, option: str) -> None:
    """Separate or joined, the value of a secret option is masked wherever the option stands."""
    line = [*words, option, secret, f"{option}={secret}"]
    masked = mask_argv(line)
    assert len(masked) == len(line)
    assert masked[-2:] == [MASK, f"{option}={MASK}"]
    assert mask_argv(masked) == masked


def test_nested_values_are_copied_with_secrets_masked() -> None:
    """Keys below any depth are judged by their own names; what is given is not touched."""
    given_value = {
        "db": {"user": "bob", "password": 5, "urls": ["redis://:pw@h"], "none_token": None},
        "opts": ("a", {"token": ["x"]}),
        "n": 3,
    }
    kept = repr(given_value)
    assert mask_value("config", given_value) == {
        "db": {"user": "bob", "password": MASK, "urls": [f"redis://:{MASK}@h"], "none_token": None},
        "opts": ("a", {"token": MASK}),
        "n": 3,
    }
    assert repr(given_value) == kept


def test_a_secret_name_hides_any_type_below_it() -> None:
    """Under a secret name texts, numbers, bytes and whole structures become the mask; None and booleans hold no secret."""
    for value in ("x", 3, 0.5, b"x", {"a": 1}, [1], object()):
        assert mask_value("api_key", value) == MASK
    assert [mask_value("token", v) for v in (None, True, False)] == [None, True, False]


def test_secret_objects_are_known_by_what_they_can_do() -> None:
    """Secrets of pydantic and Prefect are masked under any name, at any depth."""
    value = {"a": SecretStr("x"), "b": [SecretBytes(b"x")], "c": Secret[str](value=SecretStr("x"))}
    assert mask_value("cfg", value) == {"a": MASK, "b": [MASK], "c": MASK}


Pair = namedtuple("Pair", ["user", "password"])  # noqa: PYI024  # a plain named tuple is what is tested


class Lazy(Mapping[str, str]):
    """A mapping that makes its values when asked."""

    def __getitem__(self, key: str) -> str:
        return f"redis://:{key}@h"

    def __iter__(self) -> Iterator[str]:
        return iter(["a", "b"])

    def __len__(self) -> int:
        return 2


class Loud(str):
    """A text whose methods are its own."""

    __slots__ = ()

    def lower(self) -> str:
        raise RuntimeError("asked")


def test_other_containers_keep_their_kind() -> None:
    """Named tuples, sets, bytes, lazy mappings, pairs of name and value and texts of a subclass are all masked."""
    assert mask_value("x", Pair("bob", "pw")) == Pair("bob", MASK)
    assert mask_value("x", {"redis://:pw@h"}) == {f"redis://:{MASK}@h"}
    assert mask_value("x", b"token=abc\xff") == f"token={MASK}".encode()
    assert mask_value("x", Lazy()) == {"a": f"redis://:{MASK}@h", "b": f"redis://:{MASK}@h"}
    assert mask_value("env", [{"name": "DB_PASSWORD", "value": "x"}]) == [{"name": "DB_PASSWORD", "value": MASK}]
    assert mask_value("argv", ["--token", "x"]) == ["--token", MASK]
    assert mask_value("x", Loud("token=abc")) == f"token={MASK}"


def test_a_value_that_holds_itself_ends() -> None:
    """A structure that holds itself, or one part a billion times, is walked once; one without a bottom becomes the mask."""
    loop: dict[str, Any] = {"password": "x"}
    loop["self"] = loop
    assert mask_value("x", loop) == {"password": MASK, "self": "..."}
    wide: list[Any] = ["token=abc"]
    for _ in range(40):
        wide = [wide, wide]
    deepest = mask_value("x", wide)
    for _ in range(40):
        deepest = deepest[1]
    assert deepest == [f"token={MASK}"]
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert mask_value("x", deep) == MASK


def test_masking_imports_nothing_heavy() -> None:
    """Masking stands alone: neither pydantic nor Prefect is loaded by it."""
    code = "import sys, prefect_ledger.masking as m; print(sorted(n for n in ('pydantic', 'prefect', 'numpy') if n in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"\[\]\s*", out)
