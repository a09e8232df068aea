//! The products beside libtorch's in double precision, alone and in company.

use super::*;

fn wave(rows: i64, columns: i64, phase: f64) -> Tensor {
    ((Tensor::arange(rows * columns, (Kind::Double, Device::Cpu)) * 0.731 + phase).sin())
        .to_kind(Kind::Float)
        .view([rows, columns])
}

/// By panels that are made on the way.
fn product(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Option<Tensor> {
    linear(x, w, bias, &Pack::default()).unwrap()
}

#[test]
fn equals_the_formula_for_any_size() {
    for (inner, out) in [(1, 1), (5, 3), (16, 4), (17, 257), (64, 515), (100, 32), (3, 64)] {
        for rows in [1, 2, 3, 4, 5, 8, 16, 131] {
            let (x, w, b) = (wave(rows, inner, 0.1), wave(out, inner, 0.2), wave(1, out, 0.3).view([out]));
            for bias in [None, Some(&b)] {
                let Some(have) = product(&x, &w, bias) else { continue };
                let double = |t: &Tensor| t.to_kind(Kind::Double);
                let want = double(&x).linear(&double(&w), bias.map(double).as_ref());
                let sizes = double(&x).abs().linear(&double(&w).abs(), None::<&Tensor>) + 1.0;
                let apart = ((double(&have) - want).abs() / sizes).max().double_value(&[]);
                assert!(apart < 5e-7, "{rows} rows, {inner} to {out}: {apart:e}");
            }
        }
    }
}

#[test]
fn every_cpu_computes_the_same_to_the_bit() {
    let (rows, inner, out) = (23usize, 600usize, 77usize);
    let (x, w) = (wave(rows as i64, inner as i64, 0.1), wave(out as i64, inner as i64, 0.2));
    let b = wave(1, out as i64, 0.3).view([out as i64]);
    let (xs, ws, bias) = (Numbers::of(&x).unwrap(), Numbers::of(&w).unwrap(), Numbers::of(&b).unwrap());
    let want = filled(&[rows as i64, out as i64], |want| {
        for (i, want) in want.iter_mut().enumerate() {
            let (x, w) = (&xs[i / out * inner..][..inner], &ws[i % out * inner..][..inner]);
            let stretches = x.chunks(kernels::STRETCH).zip(w.chunks(kernels::STRETCH));
            let sums = stretches.map(|(x, w)| x.iter().zip(w).fold(0.0f32, |sum, (x, w)| x.mul_add(*w, sum)));
            *want = sums.fold(0.0, |total, sum| total + sum) + bias[i % out];
        }
        Ok(())
    });
    let want = want.unwrap();
    let mut sets = vec![Instructions::best()];
    #[cfg(target_arch = "x86_64")]
    if Instructions::best() == Some(Instructions::Avx512) && std::is_x86_feature_detected!("fma") {
        sets.push(Some(Instructions::Avx2));
    }
    for instructions in sets.into_iter().flatten() {
        let panels = Panels::by(instructions, &w).unwrap();
        assert!(panels.multiply(&x, Some(&b)).unwrap().equal(&want), "{instructions:?}");
    }
}

#[test]
fn a_row_does_not_depend_on_its_company_or_the_threads() {
    // More rows than a block has.
    let (x, w) = (wave(700, 100, 0.1), wave(600, 100, 0.2));
    let Some(together) = product(&x, &w, None) else { return };
    let pack = Pack::default();
    pack.fill(&w).unwrap();
    for threads in [1, 2, 3] {
        let before = tch::get_num_threads();
        tch::set_num_threads(threads);
        assert!(product(&x, &w, None).unwrap().equal(&together));
        for (row, n) in [(0, 1), (7, 1), (300, 2), (650, 7), (654, 46)] {
            let part = linear(&x.narrow(0, row, n), &w, None, &pack).unwrap().unwrap();
            assert!(part.equal(&together.narrow(0, row, n)));
        }
        tch::set_num_threads(before);
    }
}

#[test]
fn other_cases_are_left_to_libtorch() {
    let (x, w) = (wave(2, 16, 0.1), wave(4, 16, 0.2));
    assert!(product(&x.to_kind(Kind::Double), &w.to_kind(Kind::Double), None).is_none());
    assert!(product(&x, &w.transpose(0, 1), None).is_none());
    assert!(product(&x, &wave(4, 15, 0.2), None).is_none());
    assert!(product(&x.view([2, 16, 1]), &w, None).is_none());
}
