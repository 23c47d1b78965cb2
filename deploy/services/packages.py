"""Gets programs: Debian packages, jars from Maven, programs in Go. What was got once is kept and needs no network."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.services.engine import Lacking
from deploy.services.process import Launch, program, run
from deploy.services.room import alone
from homeguard.settings import environment

_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_DOWNLOAD_S: Final = 600.0


def install_debian(packages: Sequence[str]) -> None:
    """Installs them when that is allowed here; does nothing otherwise. None of their own services is started.

    Raises:
        RuntimeError: apt-get failed.
    """
    if not packages or os.geteuid() != 0 or not program("apt-get"):
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive", **_proxies()}
    with _no_service_starts():
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            run(
                Launch(argv=[program("apt-get"), *words], folder=Path("/"), environment=quiet),
                timeout_s=_DOWNLOAD_S,
            )


def jars(cache: Path, sources: Path) -> Path:
    """The folder with the jars that `pom.xml` in `sources` names, from Maven Central, checked.

    Raises:
        Lacking: they are not in the cache and there is no Maven.
        RuntimeError: Maven failed.
    """
    pom = sources / "pom.xml"
    with _built(cache, f"{sources.name}-jars", [pom]) as (target, is_new):
        if is_new:
            maven = program("mvn")
            if not maven:
                raise Lacking("no Maven (mvn)")
            argv = [
                maven, "-B", "-q", "--strict-checksums", "-f", str(pom), "dependency:copy-dependencies",
                "-DincludeScope=runtime", f"-DoutputDirectory={target}",
            ]  # fmt: skip
            # two Mavens at once would spoil each other's repository
            with alone(cache / "maven.lock"):
                run(Launch(argv=argv, folder=sources, environment=_at_home()), timeout_s=_DOWNLOAD_S)
    return target


def classes(cache: Path, sources: Path, libraries: Path) -> Path:
    """The folder with the compiled classes of the Java files in `sources`.

    Raises:
        Lacking: they are not in the cache and there is no compiler.
        RuntimeError: it does not compile.
    """
    files = sorted(sources.glob("*.java"))
    with _built(cache, f"{sources.name}-classes", [*files, sources / "pom.xml"]) as (target, is_new):
        if is_new:
            compiler = program("javac")
            if not compiler:
                raise Lacking("no JDK (javac)")
            argv = [compiler, "-cp", f"{libraries}/*", "-d", str(target), *map(str, files)]
            run(Launch(argv=argv, folder=sources, environment=_at_home()), timeout_s=120)
    return target


def go_program(cache: Path, sources: Path) -> Path:
    """The program made from the Go module in `sources`, whose go.sum says what its parts must be.

    Raises:
        Lacking: it is not in the cache and there is no Go.
        RuntimeError: it does not build.
    """
    with _built(cache, sources.name, sorted(sources.glob("*.go")) + sorted(sources.glob("go.*"))) as (target, is_new):
        if is_new:
            go = program("go", "/usr/local/go/bin/go")
            if not go:
                raise Lacking("no Go")
            argv = [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", f"{target}/{sources.name}", "."]
            run(Launch(argv=argv, folder=sources, environment=_at_home()), timeout_s=_DOWNLOAD_S)
    return target / sources.name


def java() -> str:
    """Raises Lacking when there is none."""
    found = program("java")
    if not found:
        raise Lacking("no Java (a JDK, 17 or newer)")
    return found


@contextmanager
def _built(cache: Path, name: str, made_from: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """A folder named after what it is made from, and whether it is to be filled now. It is whole or it is not there."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()[:12]
    target = cache / f"{name}-{digest}"
    whole = target / ".whole"
    if whole.is_file():  # also in a cache that we may only read
        yield target, False
        return
    with alone(cache / f"{name}.lock"):
        is_new = not whole.is_file()
        if is_new:
            sys.stderr.write(f"making {name}, once; it is kept in {cache}\n")
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
        yield target, is_new
        whole.touch()


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """While packages are installed; a policy that the machine has already stays as it is."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _at_home() -> dict[str, str]:
    """Maven and Go keep their own downloads in the home folder and may have to go through a proxy."""
    names = ("HOME", "MAVEN_OPTS", "GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS", "GOTOOLCHAIN")
    return {name: value for name, value in environment().items() if name in names} | _proxies()


def _proxies() -> dict[str, str]:
    words = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {name: value for name, value in environment().items() if name.upper() in words}
