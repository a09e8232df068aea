//! Values as TensorBoard's protobuf messages: scalars by `tensorboard-rs`, text and histograms from its message types.
//!
//! TensorBoard shows a tensor on the page of the plugin that its metadata name: strings under `text`, rendered as
//! Markdown, and rows `[left edge, right edge, count]` under `histograms`. The older histogram message, which
//! `tensorboard-rs` writes, is passed over by TensorBoard's present loader.

use protobuf::RepeatedField;
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
    let mut tensor = tensor(DataType::DT_STRING, &[1]);
    tensor.set_string_val(RepeatedField::from_vec(vec![markdown.as_bytes().to_vec()]));
    shown_by("text", tag, tensor)
}

/// The distribution of `values` in equal buckets from the least to the greatest. Numbers that are not finite are left
/// out; `None` when none is left.
pub fn histogram(tag: &str, values: &[f64]) -> Option<Summary> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let (min, max) = finite.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
    if finite.is_empty() {
        return None;
    }
    let rows = buckets(&finite, min, max);
    let mut tensor = tensor(DataType::DT_DOUBLE, &[rows.len(), 3]);
    tensor.set_double_val(rows.concat());
    Some(shown_by("histograms", tag, tensor))
}

/// Rows of left edge, right edge and count. The last bucket holds the greatest value too. Equal values are one bucket
/// of width 1, as TensorBoard's own writer has it.
fn buckets(finite: &[f64], min: f64, max: f64) -> Vec<[f64; 3]> {
    let width = max / BUCKETS as f64 - min / BUCKETS as f64;
    if width <= 0.0 {
        return vec![[min - 0.5, max + 0.5, finite.len() as f64]];
    }
    let edge = |i: usize| if i == BUCKETS { max } else { min + width * i as f64 };
    let mut rows: Vec<[f64; 3]> = (0..BUCKETS).map(|i| [edge(i), edge(i + 1), 0.0]).collect();
    for v in finite {
        let bucket = ((v / width - min / width) as usize).min(BUCKETS - 1);
        if let Some([_, _, count]) = rows.get_mut(bucket) {
            *count += 1.0;
        }
    }
    rows
}

/// A tensor of this shape, without values.
fn tensor(kind: DataType, shape: &[usize]) -> TensorProto {
    let sizes = shape.iter().map(|&size| {
        let mut dimension = TensorShapeProto_Dim::new();
        dimension.set_size(size as i64);
        dimension
    });
    let mut dimensions = TensorShapeProto::new();
    dimensions.set_dim(RepeatedField::from_vec(sizes.collect()));
    let mut tensor = TensorProto::new();
    tensor.set_dtype(kind);
    tensor.set_tensor_shape(dimensions);
    tensor
}

/// A tensor that TensorBoard's plugin of this name shows. What the plugins say of themselves in version 0, the only one, is the
/// empty message.
fn shown_by(plugin_name: &str, tag: &str, tensor: TensorProto) -> Summary {
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name(plugin_name.into());
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);
    let mut value = Summary_Value::new();
    value.set_tag(tag.into());
    value.set_metadata(metadata);
    value.set_tensor(tensor);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f64]) -> Vec<[f64; 3]> {
        let summary = histogram("h", values).unwrap();
        let value = &summary.get_value()[0];
        assert_eq!(value.get_metadata().get_plugin_data().get_plugin_name(), "histograms");
        let numbers = value.get_tensor().get_double_val();
        let sizes: Vec<i64> = value.get_tensor().get_tensor_shape().get_dim().iter().map(|d| d.get_size()).collect();
        assert_eq!(sizes, [numbers.len() as i64 / 3, 3]);
        numbers.chunks_exact(3).map(|row| row.try_into().unwrap()).collect()
    }

    #[test]
    fn a_histogram_counts_every_finite_value_once() {
        let rows = rows(&[0.0, 1.0, 2.0, 29.5, 30.0, f64::NAN, f64::INFINITY]);
        assert_eq!(rows.len(), 30);
        assert_eq!([rows[0], rows[1], rows[2]], [[0.0, 1.0, 1.0], [1.0, 2.0, 1.0], [2.0, 3.0, 1.0]]);
        assert_eq!(rows[29], [29.0, 30.0, 2.0]);
        assert_eq!(rows.iter().map(|row| row[2]).sum::<f64>(), 5.0);
        assert!(rows.windows(2).all(|w| w[0][1] == w[1][0]));
    }

    #[test]
    fn degenerate_histograms() {
        let count = |values: &[f64]| rows(values).iter().map(|row| row[2]).sum::<f64>();
        assert!(histogram("h", &[]).is_none());
        assert!(histogram("h", &[f64::NAN]).is_none());
        assert_eq!(rows(&[2.0, 2.0]), [[1.5, 2.5, 2.0]]);
        assert_eq!(count(&[-f64::MAX, f64::MAX]), 2.0, "no overflow");
        assert_eq!(count(&[0.0, 5e-324]), 2.0, "no division by zero");
    }
}
