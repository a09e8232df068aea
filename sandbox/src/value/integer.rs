//! Integers of any size: only what storing, comparing and printing need. No arithmetic beyond that.

/// An integer: a sign and the magnitude in base 2³², least significant limb first, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Integer {
    negative: bool,
    limbs: Vec<u32>,
}

impl From<i64> for Integer {
    fn from(number: i64) -> Integer {
        let magnitude = number.unsigned_abs();
        Integer::new(number < 0, vec![magnitude as u32, (magnitude >> 32) as u32])
    }
}

impl Integer {
    /// From a sign and limbs; zero loses its sign.
    pub fn new(negative: bool, mut limbs: Vec<u32>) -> Integer {
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Integer { negative: negative && !limbs.is_empty(), limbs }
    }

    /// From digits in base 2¹⁵, least significant first (the digits of `marshal`).
    pub fn from_digits15(negative: bool, digits: &[u16]) -> Integer {
        let mut limbs = Vec::with_capacity(digits.len() / 2 + 1);
        let (mut pending, mut bits) = (0u64, 0u32);
        for digit in digits {
            pending |= u64::from(*digit & 0x7fff) << bits;
            bits += 15;
            if bits >= 32 {
                limbs.push(pending as u32);
                pending >>= 32;
                bits -= 32;
            }
        }
        limbs.push(pending as u32);
        Integer::new(negative, limbs)
    }

    /// Digits in base 2¹⁵, least significant first.
    pub fn digits15(&self) -> Vec<u16> {
        let mut digits = Vec::with_capacity(self.limbs.len() * 3);
        let (mut pending, mut bits) = (0u64, 0u32);
        for limb in &self.limbs {
            pending |= u64::from(*limb) << bits;
            bits += 32;
            while bits >= 15 {
                digits.push((pending & 0x7fff) as u16);
                pending >>= 15;
                bits -= 15;
            }
        }
        digits.push(pending as u16);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        digits
    }

    /// From text in base `radix` (2, 8, 10 or 16) without sign or underscores. `None` for other characters.
    pub fn from_text(text: &str, radix: u32) -> Option<Integer> {
        let mut limbs: Vec<u32> = Vec::new();
        for c in text.chars() {
            let mut carry = u64::from(c.to_digit(radix)?);
            for limb in &mut limbs {
                let product = u64::from(*limb) * u64::from(radix) + carry;
                *limb = product as u32;
                carry = product >> 32;
            }
            if carry > 0 {
                limbs.push(carry as u32);
            }
        }
        (!text.is_empty()).then(|| Integer::new(false, limbs))
    }

    /// The integral value of a float; `None` for fractions, infinities and NaN.
    pub fn from_f64(number: f64) -> Option<Integer> {
        if !number.is_finite() || number.fract() != 0.0 {
            return None;
        }
        let bits = number.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
        let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
        if number == 0.0 {
            return Some(Integer::new(false, Vec::new()));
        }
        if exponent <= 0 {
            let magnitude = mantissa >> (-exponent).min(63);
            return Some(Integer::new(number < 0.0, vec![magnitude as u32, (magnitude >> 32) as u32]));
        }
        let mut limbs = vec![0u32; exponent as usize / 32];
        let shifted = u128::from(mantissa) << (exponent % 32);
        limbs.extend([shifted as u32, (shifted >> 32) as u32, (shifted >> 64) as u32]);
        Some(Integer::new(number < 0.0, limbs))
    }

    /// The nearest float, within rounding; infinite when too large.
    pub fn to_f64(&self) -> f64 {
        let magnitude = self.limbs.iter().rev().fold(0.0, |sum, limb| sum * 4_294_967_296.0 + f64::from(*limb));
        if self.negative { -magnitude } else { magnitude }
    }

    /// The same number in 64 bits, where it fits.
    pub fn to_i64(&self) -> Option<i64> {
        if self.limbs.len() > 2 {
            return None;
        }
        let low = u64::from(self.limbs.first().copied().unwrap_or(0));
        let high = u64::from(self.limbs.get(1).copied().unwrap_or(0));
        let magnitude = i128::from(high << 32 | low);
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    /// The opposite number.
    #[must_use]
    pub fn negated(self) -> Integer {
        Integer::new(!self.negative, self.limbs)
    }

    /// Below zero?
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Magnitude in base 2³², least significant limb first.
    pub fn limbs(&self) -> &[u32] {
        &self.limbs
    }
}

impl std::fmt::Display for Integer {
    /// Decimal digits; beyond about a thousand digits only the number of bits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.limbs.len() > 100 {
            return write!(f, "<int of {} bits>", self.limbs.len() * 32);
        }
        let mut limbs = self.limbs.clone();
        let mut groups: Vec<u32> = Vec::new();
        while !limbs.is_empty() {
            let mut remainder = 0u64;
            for limb in limbs.iter_mut().rev() {
                let value = remainder << 32 | u64::from(*limb);
                *limb = (value / 1_000_000_000) as u32;
                remainder = value % 1_000_000_000;
            }
            groups.push(remainder as u32);
            while limbs.last() == Some(&0) {
                limbs.pop();
            }
        }
        if self.negative {
            f.write_str("-")?;
        }
        write!(f, "{}", groups.last().copied().unwrap_or(0))?;
        groups.iter().rev().skip(1).try_for_each(|group| write!(f, "{group:09}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_digits_and_64_bits_agree(number: i64) {
            let integer = Integer::from(number);
            prop_assert_eq!(integer.to_string(), number.to_string());
            prop_assert_eq!(integer.to_i64(), Some(number));
            prop_assert_eq!(Integer::from_digits15(number < 0, &integer.digits15()), integer.clone());
            prop_assert_eq!(Integer::from_text(&number.unsigned_abs().to_string(), 10).unwrap(), Integer::new(false, integer.limbs().to_vec()));
        }

        #[test]
        fn large_decimal_text_survives(text in "[1-9][0-9]{20,120}") {
            prop_assert_eq!(Integer::from_text(&text, 10).unwrap().to_string(), text);
        }

        #[test]
        fn integral_floats_are_exact(number in -1e300f64..1e300) {
            let number = number.trunc();
            prop_assert_eq!(Integer::from_f64(number).unwrap().to_f64(), number);
        }
    }

    #[test]
    fn a_float_is_an_integer_only_when_it_has_no_fraction() {
        assert_eq!(Integer::from_f64(1e22).unwrap().to_string(), "10000000000000000000000");
        assert_eq!(Integer::from_f64(-3.0), Some(Integer::from(-3)));
        assert_eq!(Integer::from_f64(-0.0), Some(Integer::from(0)));
        assert_eq!(Integer::from_f64(0.5), None);
        assert_eq!(Integer::from_f64(f64::INFINITY), None);
    }
}
