//! Sets of records that were fixed once: the members of a chunk of a job.

use roaring::RoaringTreemap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of record ids.
///
/// Ids that stand together take next to no room, whether in memory or in the database: a set of a million ids in a row is a
/// few dozen bytes.
///
/// ```
/// use foretell_store::members::Members;
///
/// let members = Members::from_iter([7, 8, 9, 1_000_000]);
/// assert!(members.contains(9) && !members.contains(10));
/// assert_eq!(members.len(), 4);
/// assert_eq!(Members::from_bytes(&members.to_bytes()).as_ref(), Some(&members));
/// // As JSON, they are the first and the last of each stretch.
/// let json = serde_json::to_string(&members)?;
/// assert_eq!(json, "[[7,9],[1000000,1000000]]");
/// assert_eq!(serde_json::from_str::<Members>(&json)?, members);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(RoaringTreemap);

impl Members {
    /// Whether a record is one of them.
    pub fn contains(&self, record_id: i64) -> bool {
        u64::try_from(record_id).is_ok_and(|id| self.0.contains(id))
    }

    /// How many they are.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The greatest of their ids.
    pub fn last(&self) -> Option<i64> {
        self.0.max().map(u64::cast_signed)
    }

    /// Their ids, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(u64::cast_signed)
    }

    /// The first and the last of each stretch of ids that follow each other, in ascending order.
    pub fn stretches(&self) -> impl Iterator<Item = (i64, i64)> {
        let mut ids = self.iter().peekable();
        std::iter::from_fn(move || {
            let first = ids.next()?;
            let mut last = first;
            while let Some(next) = ids.next_if_eq(&(last + 1)) {
                last = next;
            }
            Some((first, last))
        })
    }

    /// The portable form of a 64-bit Roaring bitmap, which libraries of many languages read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.serialized_size());
        self.0.serialize_into(&mut bytes).expect("memory can be written");
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; nothing if it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        RoaringTreemap::deserialize_from(bytes).ok().map(Self)
    }
}

/// **Invariant:** ids of records are positive. Others are left out, since no record has one.
impl FromIterator<i64> for Members {
    fn from_iter<I: IntoIterator<Item = i64>>(ids: I) -> Self {
        let mut set: RoaringTreemap = ids.into_iter().filter_map(|id| u64::try_from(id).ok()).collect();
        set.optimize();
        Self(set)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.stretches())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut set = RoaringTreemap::new();
        for (first, last) in Vec::<(i64, i64)>::deserialize(deserializer)? {
            // Ids are positive; a stretch that ends before it begins has none.
            if let (Ok(first), Ok(last)) = (u64::try_from(first.max(0)), u64::try_from(last))
                && first <= last
            {
                set.insert_range(first..=last);
            }
        }
        Ok(Self(set))
    }
}
