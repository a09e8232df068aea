//! Keys and values in tensors, for models that are not on the CPU: the same chains as [`crate::attend`], attended to by libtorch.

use tch::{Device, Kind, Tensor};

use crate::attend::Layout;
use crate::error::{Result, TensorResult};

/// Positions of a new store's buffers.
const FIRST: i64 = 64;

/// Keys and values of all layers of a run of positions; buffers `[capacity, kv_heads, head_dim]` that double when they
/// are full.
pub(super) struct DeviceStore {
    layout: Layout,
    kind: Kind,
    device: Device,
    /// Keys and values of each layer; none before the first write.
    planes: Vec<Option<[Tensor; 2]>>,
}

impl DeviceStore {
    pub fn new(layout: Layout, kind: Kind, device: Device) -> DeviceStore {
        DeviceStore { layout, kind, device, planes: (0..layout.layers).map(|_| None).collect() }
    }

    /// Writes `keys` and `values` `[n, kv_heads, head_dim]` of a layer to the positions from `at` on.
    pub fn write(&mut self, layer: usize, at: usize, keys: &Tensor, values: &Tensor) -> Result<()> {
        let (at, n) = (at as i64, keys.size().first().copied().unwrap_or(0));
        let shape = [self.layout.kv_heads as i64, self.layout.head_dim as i64];
        let plane = &mut self.planes[layer];
        let capacity = plane.as_ref().and_then(|[k, _]| k.size().first().copied()).unwrap_or(0);
        if capacity < at + n {
            let room = (at + n).max(2 * capacity).max(FIRST);
            let grow = |old: Option<&Tensor>| {
                let buffer = Tensor::f_zeros([room, shape[0], shape[1]], (self.kind, self.device))?;
                if let Some(old) = old {
                    buffer.f_narrow(0, 0, capacity)?.f_copy_(old)?;
                }
                Ok(buffer)
            };
            let [k, v] = plane.as_ref().map_or([None, None], |[k, v]| [Some(k), Some(v)]);
            *plane = Some([grow(k).op("grow keys")?, grow(v).op("grow values")?]);
        }
        if let Some([k, v]) = plane {
            k.f_narrow(0, at, n).and_then(|mut t| t.f_copy_(keys)).op("cache keys")?;
            v.f_narrow(0, at, n).and_then(|mut t| t.f_copy_(values)).op("cache values")?;
        }
        Ok(())
    }

    /// Keys and values of the first `len` positions of a layer, without a copy; none when nothing was written.
    pub fn run(&self, layer: usize, len: usize) -> Result<Option<[Tensor; 2]>> {
        let Some([k, v]) = &self.planes[layer] else { return Ok(None) };
        let head = |t: &Tensor| t.f_narrow(0, 0, len as i64).op("cached run");
        Ok(Some([head(k)?, head(v)?]))
    }
}
