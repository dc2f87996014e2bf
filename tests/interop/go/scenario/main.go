// scenario URL KEY RECEIVER: every operation of the interface that the Go library svix has.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"time"

	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
)

func fail(err error) {
	_, _, line, _ := runtime.Caller(2)
	fmt.Fprintf(os.Stderr, "line %d: %v\n", line, err)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		fail(err)
	}
	return value
}

func expect(ok bool) {
	if !ok {
		fail(errors.New("not as expected"))
	}
}

func client(address, token string) *svix.Svix {
	return must(svix.New(token, &svix.SvixOptions{ServerUrl: must(url.Parse(address))}))
}

var ctx = context.Background()

func text(s string) *string {
	return &s
}

func application(c *svix.Svix) string {
	uid := text("scenario")
	app := must(c.Application.Create(ctx, models.ApplicationIn{Name: "One", Uid: uid, Metadata: &map[string]string{"a": "b"}}, nil))
	expect(must(c.Application.GetOrCreate(ctx, models.ApplicationIn{Name: "Two", Uid: uid}, nil)).Id == app.Id)
	expect(must(c.Application.Get(ctx, "scenario")).Id == app.Id)
	expect(must(c.Application.List(ctx, nil)).Data[0].Id == app.Id)
	expect(must(c.Application.Patch(ctx, app.Id, models.ApplicationPatch{Name: text("Patched")})).Name == "Patched")
	expect(must(c.Application.Update(ctx, app.Id, models.ApplicationIn{Name: "Replaced", Uid: uid})).Name == "Replaced")
	return app.Id
}

func eventType(c *svix.Svix) string {
	schemas := map[string]any{"1": map[string]any{"type": "object", "examples": []any{map[string]any{"n": 7}}}}
	kind := must(c.EventType.Create(ctx, models.EventTypeIn{Name: "invoice.paid", Description: "One", Schemas: &schemas}, nil))
	expect(must(c.EventType.Get(ctx, kind.Name)).Description == "One")
	expect(must(c.EventType.List(ctx, nil)).Data[0].Name == kind.Name)
	expect(must(c.EventType.Patch(ctx, kind.Name, models.EventTypePatch{Description: text("Two")})).Description == "Two")
	expect(must(c.EventType.Update(ctx, kind.Name, models.EventTypeUpdate{Description: "Three", Schemas: &schemas})).Description == "Three")
	return kind.Name
}

func endpoint(c *svix.Svix, app, receiver string) string {
	uid := text("hook")
	made := must(c.Endpoint.Create(ctx, app, models.EndpointIn{Url: receiver, Uid: uid, Channels: []string{"c"}, Metadata: &map[string]string{"a": "b"}}, nil))
	expect(must(c.Endpoint.Get(ctx, app, "hook")).Id == made.Id)
	expect(must(c.Endpoint.List(ctx, app, nil)).Data[0].Id == made.Id)
	expect(must(c.Endpoint.Patch(ctx, app, made.Id, models.EndpointPatch{Description: text("Patched")})).Description == "Patched")
	expect(must(c.Endpoint.Update(ctx, app, made.Id, models.EndpointUpdate{Url: receiver, Uid: uid})).Description == "")
	old := must(c.Endpoint.GetSecret(ctx, app, made.Id)).Key
	check(c.Endpoint.RotateSecret(ctx, app, made.Id, models.EndpointSecretRotateIn{}, nil))
	expect(must(c.Endpoint.GetSecret(ctx, app, made.Id)).Key != old)
	check(c.Endpoint.UpdateHeaders(ctx, app, made.Id, models.EndpointHeadersIn{Headers: map[string]string{"x-one": "1"}}))
	check(c.Endpoint.PatchHeaders(ctx, app, made.Id, models.EndpointHeadersPatchIn{Headers: map[string]string{"x-two": "2"}}))
	headers := must(c.Endpoint.GetHeaders(ctx, app, made.Id)).Headers
	expect(len(headers) == 2 && headers["x-one"] == "1" && headers["x-two"] == "2")
	return made.Id
}

func firstAttempt(c *svix.Svix, app, message string) models.MessageAttemptOut {
	for i := 0; i < 600; i++ {
		if made := must(c.MessageAttempt.ListByMsg(ctx, app, message, nil)).Data; len(made) > 0 {
			return made[0]
		}
		time.Sleep(100 * time.Millisecond)
	}
	panic("there is no attempt")
}

func message(c *svix.Svix, app, endpoint, kind string) {
	sent := must(c.Message.Create(ctx, app, models.MessageIn{
		EventType: kind, EventId: text("event-1"), Payload: map[string]any{"n": 1}, Channels: []string{"c"}}, nil))
	expect(must(c.Message.Get(ctx, app, "event-1", nil)).Id == sent.Id)
	expect(must(c.Message.List(ctx, app, nil)).Data[0].Id == sent.Id)
	made := firstAttempt(c, app, sent.Id)
	expect(made.Status == 0 && made.EndpointId == endpoint)
	expect(must(c.MessageAttempt.ListByEndpoint(ctx, app, endpoint, nil)).Data[0].Id == made.Id)
	expect(must(c.MessageAttempt.Get(ctx, app, sent.Id, made.Id, nil)).ResponseStatusCode == 200)
	expect(must(c.MessageAttempt.ListAttemptedMessages(ctx, app, endpoint, nil)).Data[0].Id == sent.Id)
	expect(must(c.MessageAttempt.ListAttemptedDestinations(ctx, app, sent.Id, nil)).Data[0].Id == endpoint)
	expect(must(c.Endpoint.GetStats(ctx, app, endpoint, nil)).Success == 1)
	must(c.MessageAttempt.Resend(ctx, app, sent.Id, endpoint, nil))
	expect(must(c.Endpoint.SendExample(ctx, app, endpoint, models.EventExampleIn{EventType: kind}, nil)).EventType == kind)
	expect(must(c.Endpoint.Recover(ctx, app, endpoint, models.RecoverIn{Since: time.Now().Add(-time.Hour)}, nil)).Id != "")
	check(c.MessageAttempt.ExpungeContent(ctx, app, sent.Id, made.Id))
	check(c.Message.ExpungeContent(ctx, app, sent.Id))
}

func main() {
	address, key, receiver := os.Args[1], os.Args[2], os.Args[3]
	c := client(address, key)
	check(c.Health.Get(ctx))
	app, kind := application(c), eventType(c)
	hook := endpoint(c, app, receiver)
	message(c, app, hook, kind)
	portal := must(c.Authentication.AppPortalAccess(ctx, app, models.AppPortalAccessIn{}, nil))
	expect(portal.Url != "" && portal.Token != "")
	check(client(address, portal.Token).Authentication.Logout(ctx, nil))
	check(c.Endpoint.Delete(ctx, app, hook))
	expunge := true
	check(c.EventType.Delete(ctx, kind, &svix.EventTypeDeleteOptions{Expunge: &expunge}))
	check(c.Application.Delete(ctx, app))
	expect(len(must(c.Application.List(ctx, nil)).Data) == 0)
}
