package storage_test

import (
	"testing"

	"loupe/storage"
)

func (f *folder) person(name string, role storage.Role) storage.Person {
	f.t.Helper()
	p, err := f.AddPerson(f.t.Context(), "ada", storage.Person{Name: name, Role: role, PasswordHash: "$argon2id$" + name, MustChange: true})
	f.must(err)
	return p
}

func TestPeopleAreFoundInAnyCaseOfLettersAfterARestart(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	grace := f.person(" Grace ", storage.Admin)
	f.person("bo", storage.Operator)
	f.reopen()
	for _, name := range []string{"Grace", "grace", "GRACE"} {
		if p, err := f.PersonByName(ctx, name); err != nil || p != grace {
			t.Errorf("%s is %+v, want %+v, %v", name, p, grace, err)
		}
	}
	if p, err := f.Person(ctx, grace.ID); err != nil || p != grace || !p.Active || !p.MustChange {
		t.Errorf("%+v, want %+v, %v", p, grace, err)
	}
	if all, err := f.People(ctx); err != nil || len(all) != 2 || all[0].Name != "bo" {
		t.Errorf("%+v, %v", all, err)
	}
	_, err := f.PersonByName(ctx, "nobody")
	f.refused(err, storage.NotFound)
}

func TestPeopleThatCannotBeAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	ada := f.person("ada", storage.Admin)
	for name, c := range map[string]struct {
		p    storage.Person
		code storage.Code
	}{
		"no name":       {storage.Person{Name: " ", Role: storage.QA}, storage.Invalid},
		"a name in use": {storage.Person{Name: "ADA", Role: storage.QA}, storage.Conflict},
		"no role":       {storage.Person{Name: "bo"}, storage.Invalid},
		"a made-up one": {storage.Person{Name: "bo", Role: "root"}, storage.Invalid},
	} {
		_, err := f.AddPerson(ctx, "ada", c.p)
		if storage.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	ada.Role = "root"
	f.refused(f.ChangePerson(ctx, "ada", ada), storage.Invalid)
	f.refused(f.ChangePerson(ctx, "ada", storage.Person{ID: 999, Role: storage.QA}), storage.NotFound)
	if all, err := f.People(ctx); err != nil || len(all) != 1 || all[0].Role != storage.Admin {
		t.Errorf("%+v, %v", all, err)
	}
}

// Nobody could let anybody in if the last admin went.
func TestTheLastAdminStays(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	ada, grace := f.person("ada", storage.Admin), f.person("grace", storage.Admin)
	f.person("lin", storage.QA)
	gone := grace
	gone.Active = false
	f.must(f.ChangePerson(ctx, "ada", gone))
	for _, change := range []func(p *storage.Person){func(p *storage.Person) { p.Active = false }, func(p *storage.Person) { p.Role = storage.QA }} {
		p := ada
		change(&p)
		f.refused(f.ChangePerson(ctx, "ada", p), storage.Conflict)
	}
	f.must(f.ChangePerson(ctx, "ada", grace))
	ada.Role = storage.Operator
	f.must(f.ChangePerson(ctx, "grace", ada))
}

func TestRolesIncludeTheOnesBelow(t *testing.T) {
	roles := []storage.Role{"", "root", storage.Operator, storage.QA, storage.Admin}
	for n, role := range roles {
		for m, least := range roles[2:] {
			if want := n >= m+2; role.May(least) != want {
				t.Errorf("%q may what %q may: %v", role, least, !want)
			}
		}
	}
}
