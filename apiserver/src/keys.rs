//! The secrets of a server that kube-apiserver does not make for itself.

use ring::{
    error::Unspecified,
    rand::{SystemRandom, generate},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};

use crate::Error;

/// With which tokens of service accounts are signed and checked; both as PEM.
pub(crate) struct SigningKey {
    pub(crate) private: String,
    pub(crate) public: String,
}

/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo (RFC 5480):
/// the algorithm, and the length of the bit string.
const P256: [u8; 26] = *b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

pub(crate) fn signing_key() -> Result<SigningKey, Error> {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(no_randomness)?;
    let pair =
        EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random).expect("ring reads what it wrote");
    let public = [&P256, pair.public_key().as_ref()].concat();
    Ok(SigningKey { private: to_pem("PRIVATE KEY", private.as_ref()), public: to_pem("PUBLIC KEY", &public) })
}

pub(crate) fn random_token() -> Result<String, Error> {
    let bytes: [u8; 16] = generate(&SystemRandom::new()).map_err(no_randomness)?.expose();
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn to_pem(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

fn no_randomness(error: Unspecified) -> Error {
    Error::Machine { what: "random numbers of the kernel".into(), cause: error.to_string() }
}
