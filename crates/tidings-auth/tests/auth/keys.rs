//! Keys made for the tests, of every kind, by the `openssl` that is on the machine: not the library that reads them.

use std::process::Command;
use std::sync::LazyLock;

use tidings_auth::{Algorithm, KeySource};

/// A pair as PEM files have it.
pub(crate) struct Pair {
    pub(crate) private: String,
    pub(crate) public: String,
}

impl Pair {
    fn make(arguments: &str) -> Self {
        let private = openssl(&format!("genpkey {arguments}"), "");
        let public = openssl("pkey -pubout", &private);
        Self { private, public }
    }

    pub(crate) fn signs(&self, algorithm: Algorithm) -> KeySource {
        KeySource::new(self.private.as_str(), algorithm)
    }

    pub(crate) fn checks(&self, algorithm: Algorithm) -> KeySource {
        KeySource::new(self.public.as_str(), algorithm)
    }
}

pub(crate) static RSA: LazyLock<Pair> = LazyLock::new(|| Pair::make("-algorithm RSA -pkeyopt rsa_keygen_bits:2048"));
pub(crate) static OTHER_RSA: LazyLock<Pair> =
    LazyLock::new(|| Pair::make("-algorithm RSA -pkeyopt rsa_keygen_bits:2048"));
pub(crate) static SHORT_RSA: LazyLock<Pair> =
    LazyLock::new(|| Pair::make("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"));
pub(crate) static P256: LazyLock<Pair> = LazyLock::new(|| Pair::make("-algorithm EC -pkeyopt ec_paramgen_curve:P-256"));
pub(crate) static P384: LazyLock<Pair> = LazyLock::new(|| Pair::make("-algorithm EC -pkeyopt ec_paramgen_curve:P-384"));
pub(crate) static P521: LazyLock<Pair> = LazyLock::new(|| Pair::make("-algorithm EC -pkeyopt ec_paramgen_curve:P-521"));
pub(crate) static ED25519: LazyLock<Pair> = LazyLock::new(|| Pair::make("-algorithm ED25519"));

pub(crate) const SECRET: &str = "!ChangeThisMercureHubJWTSecretKey!";

/// The pair that an algorithm needs; `None` for those with a secret.
pub(crate) fn pair_of(algorithm: Algorithm) -> Option<&'static Pair> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Es256 => Some(&P256),
        Algorithm::Es384 => Some(&P384),
        Algorithm::Es512 => Some(&P521),
        Algorithm::EdDsa => Some(&ED25519),
        _ => Some(&RSA),
    }
}

pub(crate) fn signing(algorithm: Algorithm) -> KeySource {
    pair_of(algorithm).map_or_else(|| KeySource::new(SECRET, algorithm), |pair| pair.signs(algorithm))
}

pub(crate) fn checking(algorithm: Algorithm) -> KeySource {
    pair_of(algorithm).map_or_else(|| KeySource::new(SECRET, algorithm), |pair| pair.checks(algorithm))
}

/// Runs `openssl` with `input`; returns what it prints.
pub(crate) fn openssl(arguments: &str, input: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need the program openssl");
    // It may read nothing and be gone already.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "openssl {arguments}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// The answer of a future that is ready at once, as `verify` promises to be for keys that are at hand.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("verify waited, with keys that are at hand"),
    }
}
