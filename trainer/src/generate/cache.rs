//! [`Cache`]: the keys and values of many sequences, in stores that branches share.
//!
//! A sequence's past is a [`Chain`] of links, each the first positions of a store. A branch begins with the links of
//! the sequence that it comes from, cut where it leaves, and writes what follows to a store of its own. So a shared
//! prefix is computed once, lies in memory once, and is copied never. A store lives as long as a chain uses it. The one
//! that began it may go on writing behind what others share: positions never move.

use tch::{Device, Kind};

use super::device::DeviceStore;
use crate::attend::{Layout, Store};
use crate::error::{Error, Result};

/// Where a store keeps its numbers.
pub(super) enum Kept {
    /// In plain memory, float32, for the loops of [`crate::attend`].
    Host(Store),
    /// In tensors of the model's kind on its device.
    Device(DeviceStore),
}

/// The first `len` positions of store `store`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub store: usize,
    pub len: usize,
}

/// The cached past of one sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    links: Vec<Link>,
    /// Whether the last link's store is this chain's to write to.
    owns_last: bool,
}

impl Chain {
    /// Cached positions.
    pub fn len(&self) -> usize {
        self.links.iter().map(|link| link.len).sum()
    }

    pub fn links(&self) -> &[Link] {
        &self.links
    }
}

/// All stores of one decoder.
pub(super) struct Cache {
    layout: Layout,
    kind: Kind,
    device: Device,
    on_host: bool,
    /// Each with the number of chains that use it.
    stores: Vec<Option<(Kept, usize)>>,
    free: Vec<usize>,
}

impl Cache {
    /// `on_host`: keep keys and values in plain memory; for models on the CPU.
    pub fn new(layout: Layout, kind: Kind, device: Device, on_host: bool) -> Cache {
        Cache { layout, kind, device, on_host, stores: Vec::new(), free: Vec::new() }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn on_host(&self) -> bool {
        self.on_host
    }

    /// Stores in use.
    #[cfg(test)]
    pub fn live(&self) -> usize {
        self.stores.iter().flatten().count()
    }

    /// A chain that shares the first `len` positions of `chain`, or all of them if there are fewer.
    pub fn fork(&mut self, chain: &Chain, len: usize) -> Chain {
        let mut left = len;
        let mut links = Vec::new();
        for link in &chain.links {
            let take = link.len.min(left);
            if take == 0 {
                break;
            }
            left -= take;
            links.push(Link { store: link.store, len: take });
            if let Some(Some((_, users))) = self.stores.get_mut(link.store) {
                *users += 1;
            }
        }
        Chain { links, owns_last: false }
    }

    /// Gives up the chain's share in its stores.
    pub fn release(&mut self, chain: Chain) {
        for link in chain.links {
            if let Some(entry) = self.stores.get_mut(link.store)
                && let Some((_, users)) = entry
            {
                *users -= 1;
                if *users == 0 {
                    *entry = None;
                    self.free.push(link.store);
                }
            }
        }
    }

    /// The store and the position in it where what follows `chain` is to be written; a new store if the last one is not
    /// the chain's own.
    pub fn tail(&mut self, chain: &mut Chain) -> Link {
        if !chain.owns_last {
            let kept = match self.on_host {
                true => Kept::Host(Store::new(self.layout)),
                false => Kept::Device(DeviceStore::new(self.layout, self.kind, self.device)),
            };
            let entry = Some((kept, 1));
            let store = match self.free.pop() {
                Some(index) => {
                    self.stores[index] = entry;
                    index
                }
                None => {
                    self.stores.push(entry);
                    self.stores.len() - 1
                }
            };
            chain.links.push(Link { store, len: 0 });
            chain.owns_last = true;
        }
        // There is a last link: it was just pushed, or is owned.
        chain.links.last().copied().unwrap_or(Link { store: 0, len: 0 })
    }

    /// Counts `n` positions that were written behind `chain` as part of it.
    pub fn commit(&self, chain: &mut Chain, n: usize) {
        if let Some(last) = chain.links.last_mut() {
            last.len += n;
        }
    }

    /// Leaves out the last `n` positions of `chain`, which were committed to its last store.
    pub fn take_back(&self, chain: &mut Chain, n: usize) {
        if let Some(last) = chain.links.last_mut() {
            last.len -= n;
        }
    }

    pub fn host(&self, store: usize) -> Result<&Store> {
        match self.stores.get(store) {
            Some(Some((Kept::Host(store), _))) => Ok(store),
            _ => Err(lost(store)),
        }
    }

    pub fn host_mut(&mut self, store: usize) -> Result<&mut Store> {
        match self.stores.get_mut(store) {
            Some(Some((Kept::Host(store), _))) => Ok(store),
            _ => Err(lost(store)),
        }
    }

    pub fn device(&self, store: usize) -> Result<&DeviceStore> {
        match self.stores.get(store) {
            Some(Some((Kept::Device(store), _))) => Ok(store),
            _ => Err(lost(store)),
        }
    }

    pub fn device_mut(&mut self, store: usize) -> Result<&mut DeviceStore> {
        match self.stores.get_mut(store) {
            Some(Some((Kept::Device(store), _))) => Ok(store),
            _ => Err(lost(store)),
        }
    }
}

fn lost(store: usize) -> Error {
    Error::Failed(format!("key-value store {store} is not there: a bug in the decoder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Cache {
        Cache::new(Layout { layers: 1, heads: 1, kv_heads: 1, head_dim: 1 }, Kind::Float, Device::Cpu, true)
    }

    fn append(cache: &mut Cache, chain: &mut Chain, values: &[f32]) {
        let tail = cache.tail(chain);
        cache.host_mut(tail.store).unwrap().write(0, tail.len, values, values);
        cache.commit(chain, values.len());
    }

    fn read(cache: &Cache, chain: &Chain) -> Vec<f32> {
        let mut all = Vec::new();
        for link in chain.links() {
            let (mut keys, mut values) = (vec![0.0; link.len], vec![0.0; link.len]);
            let store = cache.host(link.store).unwrap();
            store.key_rows(0, &mut keys);
            store.value_rows(0, &mut values);
            assert_eq!(keys, values);
            all.extend(values);
        }
        all
    }

    #[test]
    fn branches_share_and_do_not_disturb_each_other() {
        let mut cache = cache();
        let mut trunk = Chain::default();
        append(&mut cache, &mut trunk, &[1.0, 2.0, 3.0]);
        let mut early = cache.fork(&trunk, 2);
        let mut late = cache.fork(&trunk, 9);
        append(&mut cache, &mut trunk, &[4.0]);
        append(&mut cache, &mut early, &[20.0]);
        append(&mut cache, &mut late, &[30.0]);
        let mut grandchild = cache.fork(&early, 3);
        append(&mut cache, &mut grandchild, &[200.0]);
        append(&mut cache, &mut early, &[21.0]);
        assert_eq!(read(&cache, &trunk), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(read(&cache, &early), [1.0, 2.0, 20.0, 21.0]);
        assert_eq!(read(&cache, &late), [1.0, 2.0, 3.0, 30.0]);
        assert_eq!(read(&cache, &grandchild), [1.0, 2.0, 20.0, 200.0]);
        assert_eq!((cache.live(), grandchild.len()), (4, 4));

        // The trunk's store lives on in its branches.
        cache.release(trunk);
        cache.release(early);
        assert_eq!((cache.live(), read(&cache, &grandchild)), (4, vec![1.0, 2.0, 20.0, 200.0]));
        cache.release(grandchild);
        assert_eq!((cache.live(), read(&cache, &late)), (2, vec![1.0, 2.0, 3.0, 30.0]));
        cache.release(late);
        assert_eq!(cache.live(), 0);
    }

    #[test]
    fn an_empty_fork_shares_nothing() {
        let mut cache = cache();
        let mut trunk = Chain::default();
        append(&mut cache, &mut trunk, &[1.0]);
        let none = cache.fork(&trunk, 0);
        assert_eq!(none, Chain::default());
        cache.release(trunk);
        assert_eq!(cache.live(), 0);
    }
}
