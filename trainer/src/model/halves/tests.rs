//! The products beside libtorch's in double precision, alone and in company.

use super::*;

fn wave(rows: i64, columns: i64, phase: f64) -> Tensor {
    ((Tensor::arange(rows * columns, (Kind::Double, Device::Cpu)) * 0.731 + phase).sin())
        .to_kind(Kind::Float)
        .view([rows, columns])
}

#[test]
fn bfloat16_is_rounded_once() {
    for (inner, out) in [(5, 3), (64, 257), (100, 6)] {
        for rows in 1..=FEW {
            let half = |t: Tensor| t.to_kind(Kind::BFloat16);
            let (x, w, b) =
                (half(wave(rows, inner, 0.1)), half(wave(out, inner, 0.2)), half(wave(1, out, 0.3).view([out])));
            let Some(have) = linear(&x, &w, Some(&b)).unwrap() else { continue };
            let double = |t: &Tensor| t.to_kind(Kind::Double);
            let want = double(&x).linear(&double(&w), Some(&double(&b)));
            assert_eq!(have.kind(), Kind::BFloat16);
            let apart = (double(&have) - &want).abs();
            assert!(bool::try_from(apart.le_tensor(&(want.abs() / 256.0 + 1e-5)).all()).unwrap());
        }
    }
}

/// The loops that this CPU would not choose are tested too, where it can run them.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_narrower_loops_compute_the_same() {
    if !(std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")) {
        return;
    }
    let (rows, inner, out) = (3, 45, 29);
    let (x, w, b) = (wave(rows, inner, 0.1), wave(out, inner, 0.2), wave(1, out, 0.3).view([out]));
    let have = Tensor::zeros([rows, out], (Kind::Float, Device::Cpu));
    let (xs, bias) = (Numbers::of(&x).unwrap(), Numbers::of(&b).unwrap());
    let halves = w.to_kind(Kind::BFloat16);
    let w = Halves::of(&halves).unwrap();
    let target = Target { start: have.data_ptr().cast(), width: out as usize };
    let product = Product { x: &xs, w: &w, bias: Some(&bias), inner: inner as usize, rows: rows as usize, target };
    // SAFETY: the CPU has the features, as was just asked.
    unsafe { kernels::avx2::part(&product, 0..out as usize) };
    assert!((&have - x.linear(&halves.to_kind(Kind::Float), Some(&b))).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn a_row_does_not_depend_on_its_company_or_the_threads() {
    let half = |t: Tensor| t.to_kind(Kind::BFloat16);
    let (x, w) = (half(wave(FEW, 100, 0.1)), half(wave(600, 100, 0.2)));
    let Some(together) = linear(&x, &w, None).unwrap() else { return };
    for threads in [1, 2, 3] {
        let before = tch::get_num_threads();
        tch::set_num_threads(threads);
        for row in 0..FEW {
            let alone = linear(&x.narrow(0, row, 1), &w, None).unwrap().unwrap();
            assert!(alone.equal(&together.narrow(0, row, 1)));
        }
        tch::set_num_threads(before);
    }
}

#[test]
fn other_cases_are_left_to_libtorch() {
    let half = |t: Tensor| t.to_kind(Kind::BFloat16);
    let (x, w) = (half(wave(2, 16, 0.1)), half(wave(4, 16, 0.2)));
    assert!(linear(&x.to_kind(Kind::Float), &w, None).unwrap().is_none());
    assert!(linear(&half(wave(FEW + 1, 16, 0.1)), &w, None).unwrap().is_none());
    assert!(linear(&x, &w.transpose(0, 1), None).unwrap().is_none());
    assert!(linear(&x, &half(wave(4, 15, 0.2)), None).unwrap().is_none());
    assert!(linear(&x.view([2, 16, 1]), &w, None).unwrap().is_none());
}
