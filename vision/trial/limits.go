package trial

// Room is the memory that a trial may take beyond what its process has when it
// begins, in bytes.
const Room = 2 << 30
