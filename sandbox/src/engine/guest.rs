//! The embedded interpreter: `guest/guest.wasm.zst`, one core module made by `guest/rebuild.sh`.

use crate::error::{Error, Result};

static COMPRESSED: &[u8] = include_bytes!("../../guest/guest.wasm.zst");

/// Hash (BLAKE3, hexadecimal) of the compressed module.
pub fn hash() -> &'static str {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| blake3::hash(COMPRESSED).to_hex().to_string())
}

/// The module's bytes (25 MB). Only needed to compile it.
pub fn wasm() -> Result<Vec<u8>> {
    zstd::decode_all(COMPRESSED).map_err(|error| Error::Guest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Relative paths and contents of everything that the module is built from, in order.
    fn sources() -> Vec<(String, Vec<u8>)> {
        fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !path.ends_with("__pycache__") {
                        walk(root, &path, found);
                    }
                } else {
                    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                    found.push((name, std::fs::read(&path).unwrap()));
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
        let mut found = Vec::new();
        walk(&root, &root.join("python"), &mut found);
        walk(&root, &root.join("wit"), &mut found);
        found.push(("rebuild.sh".into(), std::fs::read(root.join("rebuild.sh")).unwrap()));
        found.sort();
        found
    }

    /// What `rebuild.sh` writes: the hash of "hash-of-file two-spaces name newline" of every source, and that of the module.
    #[test]
    fn the_committed_module_was_built_from_these_sources() {
        let stamp = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/STAMP")).unwrap();
        let mut list = String::new();
        for (name, bytes) in sources() {
            list += &format!("{}  {name}\n", sha256(&bytes));
        }
        let expected = format!("sources {}\nmodule {}\n", sha256(list.as_bytes()), sha256(super::COMPRESSED));
        assert_eq!(
            stamp, expected,
            "the guest's sources or module changed: run sandbox/guest/rebuild.sh and commit both"
        );
    }

    /// SHA-256 (FIPS 180-4), since `sha256sum` is what a shell script has.
    fn sha256(message: &[u8]) -> String {
        let primes = || (2u32..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
        let fraction = |root: f64| ((root - root.floor()) * 4_294_967_296.0) as u32;
        let k: Vec<u32> = primes().take(64).map(|p| fraction(f64::from(p).cbrt())).collect();
        let mut h: Vec<u32> = primes().take(8).map(|p| fraction(f64::from(p).sqrt())).collect();
        let mut padded = message.to_vec();
        padded.push(0x80);
        while padded.len() % 64 != 56 {
            padded.push(0);
        }
        padded.extend((message.len() as u64 * 8).to_be_bytes());
        for block in padded.chunks(64) {
            let mut w: Vec<u32> = block.chunks(4).map(|c| u32::from_be_bytes(c.try_into().unwrap())).collect();
            for i in 16..64 {
                let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
                let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
                w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
            }
            let mut v = h.clone();
            for i in 0..64 {
                let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
                let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
                let t1 = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(k[i]).wrapping_add(w[i]);
                let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
                let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
                v.rotate_right(1);
                v[4] = v[4].wrapping_add(t1);
                v[0] = t1.wrapping_add(s0).wrapping_add(majority);
            }
            h.iter_mut().zip(v).for_each(|(h, v)| *h = h.wrapping_add(v));
        }
        h.iter().map(|word| format!("{word:08x}")).collect()
    }

    #[test]
    fn sha256_of_known_messages() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
