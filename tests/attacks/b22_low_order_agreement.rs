//! B22: a peer's key of low order makes an agreement whose result everyone knows.

use std::fs;
use std::path::Path;
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::rule::{Rule, without};

/// u of order 1, 2, 4 and 8, and each again in the encodings that are not canonical.
fn low_order() -> Vec<[u8; 32]> {
    let of_order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let number = |first: u8, fill: u8, last: u8| {
        let mut bytes = [fill; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    // 0, 1, p - 1, p, p + 1.
    let mut all = vec![number(0, 0, 0), number(1, 0, 0)];
    all.extend((0xEC..=0xEE).map(|first| number(first, 0xFF, 0x7F)));
    all.extend(of_order_8.map(|text| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap()));
    let with_top_bit: Vec<_> = all
        .iter()
        .map(|point| {
            let mut point = *point;
            point[31] |= 0x80;
            point
        })
        .collect();
    all.extend(with_top_bit);
    all
}

/// PQ-4, P-2, B22: no such key is admitted, and if one were, no agreement would come of it.
#[test]
fn both_gates_hold_alone() {
    let own = AgreementSecret::from_bytes(Secret::new([22; 32]));
    for point in low_order() {
        assert!(AgreementKey::admit(&point).is_err() && AgreementKey::admit_ephemeral(&point).is_err());
        let admitted = without(Rule::Pq4, || AgreementKey::admit_ephemeral(&point)).unwrap();
        assert_eq!(own.agree(&admitted).err().map(|error| error.code()), Some("key.agreement_zero"));
        let known = without(Rule::P2, || own.agree(&admitted)).unwrap();
        assert_eq!(known.expose(), &[0; 32], "the attacker knows it");
    }
}

/// P-2, DR-11, B22: there is one function that computes agreements, and it is the one that looks at the result.
#[test]
fn there_is_one_agreement() {
    let crypto = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/crypto");
    let mut multiplications = Vec::new();
    for entry in fs::read_dir(crypto).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap_or_default();
        let code = source.split("#[cfg(test)]").next().unwrap();
        multiplications.extend(code.matches(".mul_clamped(").map(|_| path.file_name().unwrap().to_owned()));
        assert!(!code.contains("x25519_dalek") && !code.contains("diffie_hellman"));
    }
    assert_eq!(multiplications, ["agreement.rs"]);
}
