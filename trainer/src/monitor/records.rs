//! The framing of TensorBoard's event files: length, checksum, bytes, checksum.
//!
//! A record is `u64 length, u32 crc(length), length bytes, u32 crc(bytes)`, little-endian, with the masked CRC-32C of
//! the TFRecord format. Writing is `tensorboard-rs`'s; this is the reader that it lacks: it serves resuming, and tests.

use tensorboard_rs::masked_crc32c::masked_crc32c;

/// The payloads of all whole records at the start of `bytes`. What a killed process cut off, or what is damaged, ends
/// the list.
pub fn read_records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((record, rest)) = next_record(bytes) {
        records.push(record);
        bytes = rest;
    }
    records
}

fn next_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(8)?;
    let (length_crc, rest) = take_u32(rest)?;
    let payload_length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
    if masked_crc32c(length) != length_crc {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(payload_length)?;
    let (payload_crc, rest) = take_u32(rest)?;
    (masked_crc32c(payload) == payload_crc).then_some((payload, rest))
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_at_checked(4)?;
    Some((u32::from_le_bytes(head.try_into().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensorboard_rs::record_writer::RecordWriter;

    fn written(records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = RecordWriter::new(&mut bytes);
        for record in records {
            writer.write(record).unwrap();
        }
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_the_format() {
        // CRC-32C of "123456789" is 0xe3069283 (RFC 3720, appendix B.4 uses the same polynomial); the mask is TFRecord's.
        let crc = 0xe306_9283u32;
        assert_eq!(masked_crc32c(b"123456789"), crc.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn every_cut_gives_the_whole_records_before_it() {
        let records: [&[u8]; 3] = [b"one", b"", b"three"];
        let bytes = written(&records);
        let ends = [19, 35, 56];
        assert_eq!(bytes.len(), ends[2]);
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(read_records(&bytes[..cut]), records[..whole], "cut at {cut}");
        }
    }

    #[test]
    fn any_flipped_bit_ends_the_list() {
        let bytes = written(&[b"one", b"two"]);
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 0x10;
            assert!(read_records(&spoilt).len() < 2, "byte {at}");
        }
    }
}
