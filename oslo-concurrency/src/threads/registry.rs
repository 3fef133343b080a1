//! A map from names to values that live as long as they are in use.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;

use foldhash::fast::FixedState;

use crate::fork;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

type Map<K, V> = HashMap<Arc<K>, Weak<Named<K, V>>, FixedState>;

/// A map of weak references: a name is forgotten when the last user of its value is gone.
#[derive(Debug)]
pub(crate) struct Registry<K: ?Sized + Hash + Eq, V> {
    pub(super) map: Arc<Mutex<Map<K, V>>>,
    generation: u64,
}

/// A value and its name.
#[derive(Debug)]
pub(crate) struct Named<K: ?Sized + Hash + Eq, V> {
    key: Arc<K>,
    value: V,
    map: Arc<Mutex<Map<K, V>>>,
    generation: u64,
}

impl<K: ?Sized + Hash + Eq, V> Default for Registry<K, V> {
    fn default() -> Self {
        // Not foldhash's own RandomState: while one thread creates its seed, other threads spin, in
        // a forked child forever.
        let seed = std::hash::RandomState::new().build_hasher().finish();
        let map = HashMap::with_hasher(FixedState::with_seed(seed));
        Registry {
            map: Arc::new(Mutex::new(map)),
            generation: fork::generation(),
        }
    }
}

fn lock<K: ?Sized + Hash + Eq, V>(map: &Mutex<Map<K, V>>) -> MutexGuard<'_, Map<K, V>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: ?Sized + Hash + Eq, V> Registry<K, V> {
    /// The value named `key`; `make` makes it if it is not in use. `make` runs under the registry's
    /// mutex and must be quick.
    pub(crate) fn get_or_make(&self, key: &K, make: impl FnOnce(&K) -> V) -> Arc<Named<K, V>>
    where
        Arc<K>: for<'a> From<&'a K>,
    {
        let mut map = lock(&self.map);
        if let Some(named) = map.get(key).and_then(Weak::upgrade) {
            return named;
        }
        let key: Arc<K> = key.into();
        let named = Arc::new(Named {
            value: make(&key),
            key: Arc::clone(&key),
            map: Arc::clone(&self.map),
            generation: self.generation,
        });
        map.insert(key, Arc::downgrade(&named));
        named
    }

    /// The number of names in use.
    pub(crate) fn len(&self) -> usize {
        lock(&self.map)
            .values()
            .filter(|value| value.strong_count() > 0)
            .count()
    }

    /// All values in use.
    pub(crate) fn values(&self) -> Vec<Arc<Named<K, V>>> {
        lock(&self.map).values().filter_map(Weak::upgrade).collect()
    }
}

impl<K: ?Sized + Hash + Eq, V> Deref for Named<K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<K: ?Sized + Hash + Eq, V> Named<K, V> {
    pub(crate) fn key(&self) -> &K {
        &self.key
    }
}

impl<K: ?Sized + Hash + Eq, V> Drop for Named<K, V> {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            return;
        }
        let mut map = lock(&self.map);
        // Another thread may have made the name again since this count fell to zero.
        if map
            .get(&*self.key)
            .is_some_and(|value| value.strong_count() == 0)
        {
            map.remove(&*self.key);
            if map.capacity() > 64 && map.len() * 8 < map.capacity() {
                map.shrink_to_fit();
            }
        }
    }
}
