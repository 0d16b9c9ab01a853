// Gonote opens a log that Assay exported with the packages that Go's checksum
// database uses: note signatures, tiles, inclusion and consistency proofs.
//
//	gonote FOLDER VKEY OLDER CONSISTENCY RECEIPT...
//
// OLDER is "FILE VKEY" of an older checkpoint; OLDER and CONSISTENCY may be "-". The last line is "N passed, N failed".
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var passed, failed int

func check(err error, what string) bool {
	if err != nil {
		failed++
		fmt.Printf("gonote: %s: %v\n", what, err)
		return false
	}
	passed++
	return true
}

// checkpoint is the text of a C2SP tlog-checkpoint: origin, size, root.
func checkpoint(text []byte, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	n, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not the checkpoint of %s", verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// folder serves tiles from files; C2SP's paths are Go's without the height.
type folder string

func (folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
		b, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

func (folder) SaveTiles([]tlog.Tile, [][]byte) {}

// leaves reads every entry bundle.
func leaves(f folder, size int64) (all [][]byte, err error) {
	for first := int64(0); first < size; first += 256 {
		t := tlog.Tile{H: 8, L: 0, N: first / 256, W: int(min(256, size-first))}
		path := strings.Replace(t.Path(), "tile/8/0/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		for range t.W {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s is cut short", path)
			}
			n := 2 + int(binary.BigEndian.Uint16(data))
			all, data = append(all, data[2:n]), data[n:]
		}
		if len(data) != 0 {
			return nil, fmt.Errorf("%s is too long", path)
		}
	}
	return all, nil
}

// receipt is a C2SP tlog-proof whose extra line holds the leaf.
func receipt(data []byte, vkey string) error {
	head, text, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a receipt")
	}
	leaf, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, h)
	}
	tree, err := checkpoint(text, vkey)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}

// consistency checks our proof, one hash a line, between two of our checkpoints.
func consistency(tree, old tlog.Tree, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var proof tlog.TreeProof
	for _, line := range strings.Fields(string(data)) {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, h)
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// tiles has Go recompute and compare: the reader authenticates every tile
// against the root before it hands out a hash.
func tiles(f folder, tree tlog.Tree) error {
	all, err := leaves(f, tree.N)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, f)
	for first := 0; first < len(all); first += 64 {
		var indexes []int64
		for i := first; i < min(first+64, len(all)); i++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, int64(i)))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, h := range hashes {
			if h != tlog.RecordHash(all[first+i]) {
				return fmt.Errorf("entry %d is not what its tile says", first+i)
			}
		}
	}
	return nil
}

// proofs are Go's own, made from our tiles and held against our root.
func proofs(f folder, tree tlog.Tree) error {
	reader := tlog.TileHashReader(tree, f)
	for n := int64(1); n <= tree.N; n += 1 + n/3 {
		proof, err := tlog.ProveTree(tree.N, n, reader)
		if err != nil {
			return err
		}
		root, err := tlog.TreeHash(n, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, n, root); err != nil {
			return err
		}
	}
	return nil
}

// refusesChanges flips every byte of the text and of the log's own signature line.
func refusesChanges(text []byte, vkey string) error {
	own := bytes.Index(text, []byte("\n\n")) + 2
	own += bytes.IndexByte(text[own:], '\n') + 1
	signatures := bytes.Index(text, []byte("\n\n"))
	for i := range own {
		// Go's decoder ignores the unused bits of the last digit; ours refuses them.
		if i > signatures && bytes.HasPrefix(text[i+1:], []byte("=")) {
			continue
		}
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if _, err := checkpoint(changed, vkey); err == nil {
			return fmt.Errorf("byte %d does not matter", i)
		}
	}
	return nil
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: gonote FOLDER VKEY OLDER CONSISTENCY RECEIPT...")
		os.Exit(2)
	}
	f, vkey := folder(os.Args[1]), os.Args[2]
	text, err := os.ReadFile(filepath.Join(string(f), "checkpoint"))
	var tree tlog.Tree
	if err == nil {
		tree, err = checkpoint(text, vkey)
	}
	if check(err, "checkpoint") {
		check(tiles(f, tree), "tiles")
		check(proofs(f, tree), "proofs from our tiles")
	}
	check(refusesChanges(text, vkey), "changed checkpoints")
	if os.Args[3] != "-" {
		path, key, _ := strings.Cut(os.Args[3], " ")
		text, err := os.ReadFile(path)
		var old tlog.Tree
		if err == nil {
			old, err = checkpoint(text, key)
		}
		if check(err, "older checkpoint") {
			check(consistency(tree, old, os.Args[4]), "consistency proof")
		}
	}
	for _, path := range os.Args[5:] {
		data, err := os.ReadFile(path)
		if err == nil {
			err = receipt(data, vkey)
		}
		check(err, filepath.Base(path))
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed != 0 {
		os.Exit(1)
	}
}
