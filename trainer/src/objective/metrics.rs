//! [`Metrics`]: what an objective reports beside its loss, in a form that can be joined over packs and processes.
//!
//! A mean of means is not the mean. So a mean is kept as sum and weight until it is read, and a maximum stays a
//! maximum.

use std::collections::BTreeMap;

/// One reported quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A mean: `sum / weight`.
    Mean {
        /// Weighted sum of the observations.
        sum: f64,
        /// Sum of their weights, usually their number.
        weight: f64,
    },
    /// The largest observation.
    Max(f64),
}

impl Metric {
    /// The number to log; NaN for a mean of nothing.
    pub fn value(self) -> f64 {
        match self {
            Metric::Mean { sum, weight } => sum / weight,
            Metric::Max(value) => value,
        }
    }
}

/// Named quantities in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics(BTreeMap<&'static str, Metric>);

impl Metrics {
    /// Adds `weight` observations that sum to `sum`.
    pub fn mean(&mut self, name: &'static str, sum: f64, weight: f64) {
        self.add(name, Metric::Mean { sum, weight });
    }

    /// Adds an observation of which the largest counts.
    pub fn max(&mut self, name: &'static str, value: f64) {
        self.add(name, Metric::Max(value));
    }

    /// Joins the observations of another pass.
    pub fn merge(&mut self, other: &Metrics) {
        for (&name, &metric) in &other.0 {
            self.add(name, metric);
        }
    }

    /// The value under `name`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|m| m.value())
    }

    /// Names and values, for logging.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.0.iter().map(|(&name, m)| (name, m.value()))
    }

    /// Names with sums and weights, for a reduction over processes.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, Metric)> + '_ {
        self.0.iter().map(|(&name, &m)| (name, m))
    }

    fn add(&mut self, name: &'static str, metric: Metric) {
        let joined = match (self.0.get(name), metric) {
            (Some(Metric::Mean { sum: s, weight: w }), Metric::Mean { sum, weight }) => {
                Metric::Mean { sum: s + sum, weight: w + weight }
            }
            // `f64::max` would swallow a NaN, which must be seen.
            (Some(&Metric::Max(old)), Metric::Max(new)) => {
                Metric::Max(if new > old || new.is_nan() { new } else { old })
            }
            (_, new) => new,
        };
        self.0.insert(name, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_parts_is_observing_the_whole() {
        let (mut whole, mut parts) = (Metrics::default(), Metrics::default());
        for chunk in [&[1.0, 2.0][..], &[6.0]] {
            let mut part = Metrics::default();
            for &x in chunk {
                for m in [&mut whole, &mut part] {
                    m.mean("mean", x, 1.0);
                    m.max("max", x);
                }
            }
            parts.merge(&part);
        }
        assert_eq!(parts, whole);
        assert_eq!(parts.get("mean"), Some(3.0));
        assert_eq!(parts.get("max"), Some(6.0));
        assert_eq!(parts.get("other"), None);
    }

    #[test]
    fn a_nan_stays_visible() {
        let mut m = Metrics::default();
        for x in [1.0, f64::NAN, 2.0] {
            m.max("max", x);
        }
        assert!(m.get("max").unwrap().is_nan());
    }
}
