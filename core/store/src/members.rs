//! Sets of records that were fixed once: the members of a chunk of a job.

use roaring::RoaringTreemap;

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
/// assert_eq!(Members::from_bytes(&members.to_bytes()), Some(members));
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
