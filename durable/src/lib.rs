//! What any durable state needs: a narrow disk, a change journal that is the record, and a sled index over it.
