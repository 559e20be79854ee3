"""Floor 1. Names of secrets: whether what a name stands for must not be written down. Pure, and quick for names that come again.

The rule for names. A name is cut into words at ``_``, ``-``, ``.``, other punctuation, digits and camelCase humps.

- *Strong* words (password, secret, credentials, apikey, ...) and *pairs* (api + key, access + key, connection + string, ...)
  make a name secret wherever they stand, unless its last word only speaks about the secret (``password_length``,
  ``secret_name``, ``credentials_file``) or it counts them (``num_secrets``).
- *Weak* words (token, auth, cookie, dsn, jwt, otp) count only as the last word, and not behind a word that makes them
  something else: ``hf_token`` is secret; ``pad_token``, ``next_token``, ``token_count``, ``max_tokens`` and ``use_auth`` are not.
- ``pass`` and ``pw`` count alone or behind the likes of ``db`` and ``user``; ``key`` only in a pair. Words are compared whole, so that
  ``tokenizer``, ``author``, ``monkey`` and ``secretary`` are what they are.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


def words(text: str) -> frozenset[str]:
    """The words of ``text``, as a set."""
    return frozenset(text.split())


_STRONG = words("""
    password passwd pwd passphrase passcode secret credential creds cred bearer apikey accesskey secretkey privatekey accountkey sshkey
    authtoken accesstoken refreshtoken bearertoken apitoken bottoken hftoken ghtoken githubtoken sessiontoken csrftoken xsrftoken
    connectionstring connstr connstring sessionid phpsessid jsessionid
""")
_STRONG_ENDS = ("password", "passwd", "passphrase", "apikey", "secret")
_KEY_KINDS = words("""
    api access secret private encryption decryption signing account master subscription ssh gpg pgp rsa hmac aes fernet consumer webhook
    deploy license shared auth admin openai anthropic cohere mistral groq stripe wandb neptune comet hf huggingface aws azure gcp google
    github gitlab sendgrid twilio datadog sentry pinecone
""")
_TOKEN_KINDS = words("api access auth refresh bearer secret session")
_PASS_OWNERS = words("db database user login admin root my mysql pg postgres sql redis smtp imap mail ftp sftp proxy http basic ldap")
_WEAK = words("token auth authorization cookie cookies dsn jwt otp totp oauth")
_ABOUT = words("""
    length len size count limit min max ttl policy policies type types kind name names file files filename path paths dir folder arn
    stdin expiry expires expiration required enabled disabled strength field column prompt manager provider backend version error exception
""")
_COUNTS = words("n num number count")
_NOT_SECRET_BEFORE = _COUNTS | words("""
    pad padding eos bos unk unknown mask sep cls special start end stop begin next prev previous last first max min total avg mean per
    page continuation cancellation blank word sub target prefix suffix middle eot eom image audio video unexpected
    use has have require requires required need needs enable enabled disable disabled no not is with without skip allow support supports
""")
_VARIANTS = words("value val plain raw prod dev test staging live old new b")


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is likely a secret; the module's docstring has the rule.

    Example:
        >>> [n for n in ("hf_token", "openaiApiKey", "max_tokens", "primary_key") if is_secret_name(n)]
        ['hf_token', 'openaiApiKey']
    """
    return _known(name) if len(name) <= 128 else _judge(name)


def _judge(name: str) -> bool:
    parts = [w.lower() for w in _WORDS.findall(name)]
    while len(parts) > 1 and parts[-1] in _VARIANTS:
        parts.pop()
    if not parts:
        return False
    return _strongly(parts) or _weakly(parts)


_known = lru_cache(maxsize=4096)(_judge)


def _strongly(parts: list[str]) -> bool:
    if parts[-1] in _ABOUT:
        return False
    counted = parts[0] in _COUNTS
    for before, word in zip(["", *parts], parts, strict=False):
        one = word if word in _STRONG or not word.endswith("s") else word[:-1]
        if counted and one != word:
            continue
        if one in _STRONG or one.endswith(_STRONG_ENDS) or _pair(before, one, plural=one != word):
            return True
    return False


def _pair(before: str, word: str, *, plural: bool) -> bool:
    if word in ("key", "keys"):
        return before in _KEY_KINDS
    if word in ("string", "str"):
        return before in ("connection", "conn")
    if word == "pat":
        return before in ("github", "gitlab", "azure")
    return plural and word == "token" and before in _TOKEN_KINDS


def _weakly(parts: list[str]) -> bool:
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last in ("pass", "pw"):
        return not before or before in _PASS_OWNERS
    return last in _WEAK and before not in _NOT_SECRET_BEFORE
