package storage

import (
	"strings"
	"testing"
)

// Thousands of waiting frames must not be read to find the next one.
func TestTheQueueIsReadByItsIndex(t *testing.T) {
	db, err := Open(t.Context(), Settings{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.read.Query("EXPLAIN QUERY PLAN "+nextQuery, "[]")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	searches := 0
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(step, "frames") {
			searches++
			if !strings.HasPrefix(step, "SEARCH frames USING INDEX frames_queue (recipe_id=?") {
				t.Errorf("not by its index: %s", step)
			}
		}
		if strings.Contains(step, "TEMP B-TREE") {
			t.Errorf("sorted anew each time: %s", step)
		}
	}
	if searches < 5 {
		t.Errorf("%d look-ups in all", searches)
	}
}
