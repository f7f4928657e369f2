package commands

import (
	"fmt"

	"loupe/storage"
	"loupe/web"
)

// Person helps where nobody can sign in any more.
type Person struct {
	List   PersonList   `cmd:"" help:"List who may sign in."`
	Passwd PersonPasswd `cmd:"" help:"Give somebody a new password, and print it."`
}

// PersonList lists the people.
type PersonList struct {
	Data string `help:"Data folder." default:"data" env:"LOUPE_DATA" type:"path"`
}

// Run lists.
func (p *PersonList) Run() error {
	ctx, stop := interruptible()
	defer stop()
	db, err := openData(ctx, p.Data, "")
	if err != nil {
		return err
	}
	defer db.Close()
	people, err := db.People(ctx)
	for _, one := range people {
		state := ""
		if !one.Active {
			state = "  (deactivated)"
		}
		fmt.Printf("%-20s %s%s\n", one.Name, one.Role, state)
	}
	return err
}

// PersonPasswd gives a new password.
type PersonPasswd struct {
	Name string `arg:"" help:"Who, such as admin."`
	Data string `help:"Data folder." default:"data" env:"LOUPE_DATA" type:"path"`
}

// Help teaches the command.
func (PersonPasswd) Help() string {
	return `Makes a new password, prints it, ends the person's sessions and lets a deactivated
person in again. The server may go on.

Example:

  loupe person passwd admin --data /srv/loupe`
}

// Run sets the password.
func (p *PersonPasswd) Run() error {
	ctx, stop := interruptible()
	defer stop()
	db, err := openData(ctx, p.Data, "")
	if err != nil {
		return err
	}
	defer db.Close()
	one, err := db.PersonByName(ctx, p.Name)
	if storage.CodeOf(err) == storage.NotFound {
		return usage("there is nobody named %q; see: loupe person list", p.Name)
	}
	if err != nil {
		return err
	}
	password := web.NewPassword()
	if one.PasswordHash, err = web.HashPassword(password); err != nil {
		return err
	}
	one.Active, one.MustChange = true, true
	if err := db.ChangePerson(ctx, "command line", one); err != nil {
		return err
	}
	fmt.Printf("The new password of %s is %q; it must be changed at the next sign-in.\n", one.Name, password)
	return nil
}
