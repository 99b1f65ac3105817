package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// azureCommands are what the command azure does, by its first argument, with the number of further arguments.
var azureCommands = map[string]struct {
	args int
	do   func(ts *testscript.TestScript, c *provtest.Cloud, args []string)
}{
	// put ACCOUNT CONTAINER PREFIX DIR: the files of DIR as blobs
	"put": {4, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		c.Put(args[0], args[1], filesUnder(ts, args[2], args[3]))
	}},
	// retained ACCOUNT CONTAINER PREFIX DIR: the same, each with a locked retention of its own until 2040
	"retained": {4, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		c.PutRetained(args[0], args[1], filesUnder(ts, args[2], args[3]), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
	}},
	"delete":    {3, func(_ *testscript.TestScript, c *provtest.Cloud, args []string) { c.Delete(args[0], args[1], args[2]) }},
	"container": {2, func(_ *testscript.TestScript, c *provtest.Cloud, args []string) { c.Container(args[0], args[1]) }},
	// protect ACCOUNT CONTAINER locked|locked-append|unlocked DAYS
	"protect": {4, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		days, err := strconv.Atoi(args[3])
		ts.Check(err)
		ts.Check(c.Protect(args[0], args[1], args[2], days))
	}},
	"hold":    {3, func(_ *testscript.TestScript, c *provtest.Cloud, args []string) { c.Hold(args[0], args[1], args[2]) }},
	"version": {2, func(_ *testscript.TestScript, c *provtest.Cloud, args []string) { c.Version(args[0], args[1]) }},
	// forget ACCOUNT CONTAINER: the storage contradicts Azure Resource Manager
	"forget": {2, func(_ *testscript.TestScript, c *provtest.Cloud, args []string) { c.Forget(args[0], args[1]) }},
	// fail FAULT: Azure Resource Manager misbehaves; "none" ends it
	"fail": {1, func(_ *testscript.TestScript, c *provtest.Cloud, args []string) {
		c.Fail(strings.TrimPrefix(args[0], "none"))
	}},
	// id VAR ACCOUNT: sets VAR to the account's resource ID
	"id": {2, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		ts.Setenv(args[0], c.AccountID(args[1]))
	}},
	// many ACCOUNT CONTAINER PREFIX N: N blobs of 4 bytes
	"many": {4, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		n, err := strconv.Atoi(args[3])
		ts.Check(err)
		blobs := map[string][]byte{}
		for i := range n {
			blobs[fmt.Sprintf("%s/%04d", args[2], i)] = fmt.Appendf(nil, "%04d", i)
		}
		c.Put(args[0], args[1], blobs)
	}},
	// stall ACCOUNT N: the storage falls silent after N blobs; 0 ends it
	"stall": {2, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		n, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		c.Stall(args[0], n)
	}},
	// await ACCOUNT BYTES: waits until so many bytes of blobs were read since the last time
	"await": {2, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		want, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		clouds.Lock()
		before := clouds.read[fmt.Sprintf("%p %s", c, args[0])]
		clouds.Unlock()
		for end := time.Now().Add(time.Minute); c.Read(args[0])-before < want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				ts.Fatalf("only %d bytes were read", c.Read(args[0])-before)
			}
		}
	}},
	// read ACCOUNT BYTES: so many bytes of blobs were read since the last time
	"read": {2, func(ts *testscript.TestScript, c *provtest.Cloud, args []string) {
		if got := fmt.Sprint(bytesRead(c, args[0])); got != args[1] {
			ts.Fatalf("%s bytes of blobs were read, want %s", got, args[1])
		}
	}},
}

// clouds are the doubles of Azure that scripts have started, and what was read of their accounts at the last look.
var clouds struct {
	sync.Mutex
	of   map[*testscript.TestScript]*provtest.Cloud
	read map[string]int64
}

// scriptAzure is the command azure. "start" comes first: it sets the variables with which the real SDKs find the double.
func scriptAzure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: azure WHAT ARG...")
	}
	if args[0] == "start" {
		startCloud(ts)
		return
	}
	clouds.Lock()
	c := clouds.of[ts]
	clouds.Unlock()
	command, known := azureCommands[args[0]]
	if !known || c == nil || len(args)-1 != command.args {
		ts.Fatalf("azure %s is not known, or takes another number of arguments", args[0])
	}
	command.do(ts, c, args[1:])
}

func startCloud(ts *testscript.TestScript) {
	c := provtest.Azure(scriptTB{ts: ts})
	for name, value := range c.Env() {
		ts.Setenv(name, value)
	}
	clouds.Lock()
	defer clouds.Unlock()
	if clouds.of == nil {
		clouds.of, clouds.read = map[*testscript.TestScript]*provtest.Cloud{}, map[string]int64{}
	}
	clouds.of[ts] = c
}

// bytesRead is how much was read of an account since the last time.
func bytesRead(c *provtest.Cloud, account string) int64 {
	clouds.Lock()
	defer clouds.Unlock()
	key, now := fmt.Sprintf("%p %s", c, account), c.Read(account)
	defer func() { clouds.read[key] = now }()
	return now - clouds.read[key]
}

// filesUnder are the files of a folder, by their names under a prefix.
func filesUnder(ts *testscript.TestScript, prefix, dir string) map[string][]byte {
	files := map[string][]byte{}
	root := ts.MkAbs(dir)
	ts.Check(filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[strings.TrimSuffix(prefix, "/")+"/"+filepath.ToSlash(relative)], err = os.ReadFile(path)
		return err
	}))
	return files
}
