package provenance

import "time"

// Folder is a data folder that the model was trained, validated or tested on.
type Folder struct {
	Grounds
	Role   string    `json:"role"`   // train, validation, test, other
	URI    string    `json:"uri"`    // as asked, without its query
	Digest Digest    `json:"digest"` // dirHash
	Files  int64     `json:"files,string"`
	Bytes  int64     `json:"bytes,string"`
	Newest time.Time `json:"newest,omitzero"` // latest modification of any file
	Oldest time.Time `json:"oldest,omitzero"` // earliest creation of any file, from which retention counts
	Listed time.Time `json:"listed,omitzero"` // when the last listing that showed these files was complete
	// Reused, Imported and Resumed tell which digests were not computed by this run of the program; the rest was.
	Reused   *Reused   `json:"reused,omitempty"`
	Imported *Imported `json:"imported,omitempty"`
	Resumed  int64     `json:"resumed,omitempty,string"` // files whose digests an interrupted run had left behind
	// Immutability is the grade of the folder's protection, one of [Grades].
	Immutability string      `json:"immutability"`
	Protection   *Protection `json:"protection,omitempty"` // what the grade rests on; absent for local folders
	Delta        *DeltaTable `json:"delta,omitempty"`      // the snapshot, when the folder is a Delta table
	Before       *Before     `json:"before,omitempty"`     // the listing that was taken before training
	// Shared are files that a folder of another role holds, too. To [NewStatement], nil says that nobody compared them; an
	// empty list, that there are none.
	Shared []Shared `json:"shared,omitempty"`
	// TrainedOn says why the link between folder and model is as good as BasisOf["trainedOn"].
	TrainedOn        string `json:"trainedOn"`
	Manifest         Stored `json:"manifest"` // its digest's hex is the dirHash's
	Index            Stored `json:"index"`
	ProtectionAnswer Stored `json:"protectionAnswer"` // what Azure Resource Manager answered
}

// Roles that a data folder can have.
var Roles = []string{"train", "validation", "test", "other"}

// Reused are digests of blobs that an earlier, verified attestation of the same pipeline had recorded, and that have the same
// name, size and ETag now. The folder's index tells for each of them when and by which attestation its bytes were read.
type Reused struct {
	Files     int64     `json:"files,string"`
	Bytes     int64     `json:"bytes,string"`
	ReadSince time.Time `json:"readSince"` // when the first of their bytes were read
	Previous  Digest    `json:"previous"`  // sha256 of the statement whose index they were taken from
}

// Imported are digests that other machines computed and wrote to files: the shards of a folder, or a Spark job.
type Imported struct {
	Files    int64  `json:"files,string"`
	Parts    int    `json:"parts"`              // how many files they came from
	SealedBy string `json:"sealedBy,omitempty"` // fingerprint of the key that sealed all of them; empty: somebody wrote them
	// ReadSince is when the first of the files was read, as those machines say; zero when they do not.
	ReadSince time.Time `json:"readSince,omitzero"`
}

// The grades of immutability. They are never concluded from a boolean that says "has a policy".
const (
	GradeLocked       = "locked"        // a locked time-based retention policy
	GradeLockedAppend = "locked-append" // the same, but it allows protected append writes: existing blobs can grow
	GradeUnlocked     = "unlocked"      // a time-based policy that can be shortened or deleted
	GradeLegalHold    = "legal-hold"    // a hold, which can be cleared at any time
	GradeVersionWORM  = "version-worm"  // every blob has a locked retention of its own
	GradeNone         = "none"          // nothing protects the folder
	GradeUnknown      = "unknown"       // nobody could tell, or was asked
)

// Grades are all grades of immutability.
var Grades = []string{GradeLocked, GradeLockedAppend, GradeUnlocked, GradeLegalHold, GradeVersionWORM, GradeNone, GradeUnknown}

// Protection is what Azure said of the protection of a folder's container.
// Source: https://learn.microsoft.com/azure/storage/blobs/immutable-storage-overview
type Protection struct {
	Account    string           `json:"account"`
	Container  string           `json:"container"`
	Namespace  string           `json:"namespace,omitempty"`  // hierarchical or flat; empty: unknown
	Policy     *RetentionPolicy `json:"policy,omitempty"`     // of the container
	LegalHolds []LegalHold      `json:"legalHolds,omitempty"` // of the container
	// HoldAppendWrites tells that the legal hold lets existing files grow.
	HoldAppendWrites bool `json:"holdAppendWrites,omitempty"`
	// Until is when the first file of the folder loses its protection by time: min(creation) + period, or the earliest
	// retention of a blob. Zero: never protected by time, or unknown.
	Until      time.Time `json:"until,omitzero"`
	ResourceID string    `json:"resourceId,omitempty"` // of the container, in Azure Resource Manager
	RequestID  string    `json:"requestId,omitempty"`  // x-ms-request-id of the container's answer
	AskedAt    time.Time `json:"askedAt,omitzero"`
	Unknown    string    `json:"unknown,omitempty"` // why something is not known
}

// RetentionPolicy is a container's time-based retention policy.
type RetentionPolicy struct {
	State        string         `json:"state"`                  // Locked or Unlocked
	Days         int            `json:"days"`                   // since the creation of each blob
	AppendWrites string         `json:"appendWrites,omitempty"` // append-blobs, all-blobs, or none when empty
	ETag         string         `json:"etag,omitempty"`
	Updates      []PolicyUpdate `json:"updates,omitempty"`
}

// PolicyUpdate is one entry of a policy's history.
type PolicyUpdate struct {
	Update string    `json:"update"` // put, lock or extend
	Days   int       `json:"days,omitempty"`
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by,omitempty"` // object id
}

// LegalHold is one tag of a legal hold.
type LegalHold struct {
	Tag   string    `json:"tag"`
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"` // object id
}

// DeltaTable is the snapshot of a Delta table: its digest is over the files of that version, and the log that defines it.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md
type DeltaTable struct {
	ID              string    `json:"id"` // metaData.id
	Version         int64     `json:"version,string"`
	Asked           string    `json:"asked"`              // why this version: "version", "run start" or "now"
	Newest          int64     `json:"newest,string"`      // the newest version that the log had then
	Committed       time.Time `json:"committed,omitzero"` // commitInfo
	Operation       string    `json:"operation,omitempty"`
	MinReader       int       `json:"minReader"`
	MinWriter       int       `json:"minWriter"`
	ReaderFeatures  []string  `json:"readerFeatures,omitempty"`
	WriterFeatures  []string  `json:"writerFeatures,omitempty"`
	Checkpoint      string    `json:"checkpoint,omitempty"` // version of the checkpoint that the snapshot starts from
	Log             Digest    `json:"log,omitzero"`         // sha256 of the version's commit
	DataFiles       int64     `json:"dataFiles,string"`
	DeletionVectors int64     `json:"deletionVectors,string"`
}

// Before is a listing of the folder that was taken before training, and how it compares.
type Before struct {
	Listed   time.Time `json:"listed"`             // by the clock of whoever took it
	Listing  Digest    `json:"listing"`            // sha256 of names, sizes, ETags and times
	Same     bool      `json:"same"`               // it is the listing at recording, too
	Changes  string    `json:"changes,omitempty"`  // what differs
	SealedBy string    `json:"sealedBy,omitempty"` // fingerprint of the key that sealed it
}

// Shared are files of one content that folders of two roles hold.
type Shared struct {
	Role  string   `json:"role"` // of the other folder
	URI   string   `json:"uri"`
	Files int64    `json:"files,string"`
	Names []string `json:"names"` // the first MaxListed, in this folder
}
