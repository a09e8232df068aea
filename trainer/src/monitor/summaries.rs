//! Values as TensorBoard's protobuf messages: scalars and histograms by `tensorboard-rs`, text from its message types.
//!
//! TensorBoard shows text when a string tensor bears the plugin name `text`; it is rendered as Markdown. Histograms are
//! given as buckets, which it shows on the pages Histograms and Distributions.

use protobuf::{Message, RepeatedField};
use tensorboard_proto::plugin_text::TextPluginData;
use tensorboard_proto::summary::{Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;

/// Buckets of a histogram; what TensorBoard's own writer uses.
const BUCKETS: usize = 30;

/// One number. TensorBoard holds single precision.
pub fn scalar(tag: &str, value: f64) -> Summary {
    tensorboard_rs::summary::scalar(tag, value as f32)
}

/// Markdown under TensorBoard's page Text.
pub fn text(tag: &str, markdown: &str) -> Summary {
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name("text".into());
    // Version 0, the only one, is the empty message: nothing that could fail is serialised.
    plugin.set_content(TextPluginData::new().write_to_bytes().unwrap_or_default());
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);

    let mut dimension = TensorShapeProto_Dim::new();
    dimension.set_size(1);
    let mut shape = TensorShapeProto::new();
    shape.set_dim(RepeatedField::from_vec(vec![dimension]));
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(shape);
    tensor.set_string_val(RepeatedField::from_vec(vec![markdown.as_bytes().to_vec()]));

    let mut value = Summary_Value::new();
    value.set_tag(tag.into());
    value.set_metadata(metadata);
    value.set_tensor(tensor);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    summary
}

/// The distribution of `values` in equal buckets from the least to the greatest. Numbers that are not finite are left
/// out; `None` when none is left.
pub fn histogram(tag: &str, values: &[f64]) -> Option<Summary> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let (min, max) = finite.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
    if finite.is_empty() {
        return None;
    }
    let (limits, counts) = buckets(&finite, min, max);
    let sum = finite.iter().sum();
    let squares = finite.iter().map(|v| v * v).sum();
    Some(tensorboard_rs::summary::histogram_raw(tag, min, max, finite.len() as f64, sum, squares, &limits, &counts))
}

/// Upper limits and counts. The last bucket holds the greatest value too. Equal values are one bucket.
fn buckets(finite: &[f64], min: f64, max: f64) -> (Vec<f64>, Vec<f64>) {
    let width = max / BUCKETS as f64 - min / BUCKETS as f64;
    if width <= 0.0 {
        return (vec![max], vec![finite.len() as f64]);
    }
    let limits = (1..=BUCKETS).map(|i| if i == BUCKETS { max } else { min + width * i as f64 }).collect();
    let mut counts = vec![0.0; BUCKETS];
    for v in finite {
        let bucket = ((v / width - min / width) as usize).min(BUCKETS - 1);
        if let Some(count) = counts.get_mut(bucket) {
            *count += 1.0;
        }
    }
    (limits, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histo(values: &[f64]) -> tensorboard_proto::summary::HistogramProto {
        histogram("h", values).unwrap().get_value()[0].get_histo().clone()
    }

    #[test]
    fn a_histogram_counts_every_finite_value_once() {
        let h = histo(&[0.0, 1.0, 2.0, 29.5, 30.0, f64::NAN, f64::INFINITY]);
        assert_eq!((h.get_min(), h.get_max(), h.get_num(), h.get_sum()), (0.0, 30.0, 5.0, 62.5));
        assert_eq!(h.get_sum_squares(), 1.0 + 4.0 + 29.5 * 29.5 + 900.0);
        let counts = h.get_bucket();
        assert_eq!((counts.len(), h.get_bucket_limit().len()), (30, 30));
        assert_eq!((counts[0], counts[1], counts[2], counts[29]), (1.0, 1.0, 1.0, 2.0));
        assert!(h.get_bucket_limit().windows(2).all(|w| w[0] < w[1]));
        assert_eq!(h.get_bucket_limit()[29], 30.0);
    }

    #[test]
    fn degenerate_histograms() {
        assert!(histogram("h", &[]).is_none());
        assert!(histogram("h", &[f64::NAN]).is_none());
        assert_eq!(histo(&[2.0, 2.0]).get_bucket(), [2.0]);
        assert_eq!(histo(&[-f64::MAX, f64::MAX]).get_bucket().iter().sum::<f64>(), 2.0, "no overflow");
        assert_eq!(histo(&[0.0, 5e-324]).get_bucket().iter().sum::<f64>(), 2.0, "no division by zero");
    }
}
