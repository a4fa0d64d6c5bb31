"""Certificates for tests, made with openssl as docs/inputs.md tells a user to."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate and its key."""

    certificate: Path
    key: Path


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def authority(folder: Path, name: str) -> Signed:
    """One that signs others."""
    made = Signed(folder / f"{name}.crt", folder / f"{name}.key")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # Python 3.13 insists
    openssl("req", "-x509", *curve, *usage, "-days", "2", "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.certificate)
    return made


def sign(by: Signed, folder: Path, name: str, alternatives: Sequence[str] = (), days: int = 2) -> Signed:
    """A certificate for a name; `alternatives` such as DNS:a.example or IP:127.0.0.1."""
    file = folder / name.replace("*", "any")
    made, request = Signed(Path(f"{file}.crt"), Path(f"{file}.key")), Path(f"{file}.csr")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", *curve, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
    extensions = folder / f"{file.name}.ext"
    name_lines = f"subjectAltName={','.join(alternatives)}\n" if alternatives else "basicConstraints=CA:FALSE\n"
    extensions.write_text(f"{name_lines}authorityKeyIdentifier=keyid\n")
    signer: list[str | Path] = ["-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial", "-days", str(days)]
    openssl("x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", made.certificate)
    made.key.chmod(0o600)
    return made
