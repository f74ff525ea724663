//! The engine on disk: a log of checksummed frames in segments, an index beside each segment that is full, and a
//! checkpoint of what is remembered beyond the records.
