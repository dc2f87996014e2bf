import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useAccess } from '@/api/access'
import { openInbox, putInbox, useInbox, type Inbox } from '@/api/inbox'
import { take, api } from '@/api/client'
import { Arrivals } from '@/ui/Arrivals'
import { Button, LinkButton } from '@/ui/Button'
import { Copyable } from '@/ui/Code'
import { ActionDialog } from '@/ui/Dialog'
import { Select } from '@/ui/Field'
import { ActionMenu } from '@/ui/Menu'
import { Section } from '@/ui/Page'
import { Empty, Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'

const STATUSES = [
  ['200', '200 OK'],
  ['400', '400 Bad Request'],
  ['410', '410 Gone: disables the endpoint'],
  ['429', '429 Too Many Requests'],
  ['500', '500 Internal Server Error'],
  ['503', '503 Service Unavailable'],
] as const
const DELAYS = [
  ['0', 'at once'],
  ['1000', 'after 1 s'],
  ['5000', 'after 5 s'],
  ['20000', 'after 20 s: too late'],
] as const

// A receiver for trying things out, and what arrives there.
export function InboxPanel({ app, onSend }: { app: string; onSend?: (() => void) | undefined }) {
  const { data: inbox, error, refetch } = useInbox(app)
  if (error) return <Failure error={error} retry={() => void refetch()} />
  if (inbox === undefined) return <Skeleton lines={6} />
  if (inbox === null) return <None app={app} />
  return (
    <>
      <Settings app={app} inbox={inbox} onSend={onSend} />
      <Arrivals app={app} />
    </>
  )
}

function None({ app }: { app: string }) {
  const queries = useQueryClient()
  const { mayChange } = useAccess()
  async function open() {
    try {
      await openInbox(app)
      await Promise.all([
        queries.invalidateQueries({ queryKey: ['inbox', app] }),
        queries.invalidateQueries({ queryKey: ['endpoint', app] }),
      ])
      tell.done('The inbox is there, and an endpoint that delivers to it.')
    } catch (cause) {
      tell.failed(cause)
    }
  }
  return (
    <Empty title="No test inbox yet.">
      <p>A receiver inside of Posthorn: shows what arrives, live, and checks its signature. Nothing to set up.</p>
      {mayChange && (
        <Button look="primary" onPress={() => void open()}>
          Open the inbox
        </Button>
      )}
    </Empty>
  )
}

// What the inbox has been told may be none of the usual ones.
const withOwn = (options: readonly (readonly [string, string])[], value: number, unit = '') =>
  options.some(([option]) => option === String(value)) ? options : [...options, [String(value), `${value}${unit}`] as const]

function Settings({ app, inbox, onSend }: { app: string; inbox: Inbox; onSend?: (() => void) | undefined }) {
  const queries = useQueryClient()
  const { mayChange } = useAccess()
  const [deleting, setDeleting] = useState(false)
  async function answer(change: { status?: number; delayMs?: number }) {
    try {
      const saved = await putInbox(app, { status: inbox.status, delayMs: inbox.delayMs, ...change })
      queries.setQueryData(['inbox', app], saved)
      tell.done('It answers like that from now on.')
    } catch (cause) {
      tell.failed(cause)
    }
  }
  return (
    <Section
      title="Test inbox"
      actions={
        mayChange && (
          <>
            {onSend && <Button onPress={onSend}>Send it something</Button>}
            <LinkButton href={`/app/${app}/endpoint/new?url=${encodeURIComponent(inbox.url)}`}>Another endpoint to it</LinkButton>
            <ActionMenu label="More for this inbox" actions={[{ text: 'Delete the inbox…', danger: true, run: () => setDeleting(true) }]} />
          </>
        )
      }
    >
      <Copyable text={inbox.url} />
      <fieldset disabled={!mayChange} className="filters">
        <Select
          label="Answers with"
          value={String(inbox.status)}
          onChange={value => void answer({ status: Number(value) })}
          options={withOwn(STATUSES, inbox.status)}
        />
        <Select
          label="When"
          value={String(inbox.delayMs)}
          onChange={value => void answer({ delayMs: Number(value) })}
          options={withOwn(DELAYS, inbox.delayMs, ' ms')}
        />
      </fieldset>
      {inbox.status >= 300 && <Note tone="warn">Deliveries to it fail and are tried again, as with any endpoint that answers so.</Note>}
      <p className="hint">It keeps the last 100 requests for a day.</p>
      {deleting && (
        <ActionDialog
          title="Delete the inbox?"
          action="Delete it"
          danger
          onClose={() => setDeleting(false)}
          run={async () => {
            await take(api.DELETE('/api/v1/app/{app_id}/inbox', { params: { path: { app_id: app } } }))
            queries.removeQueries({ queryKey: ['inbox', app, 'requests'] })
            queries.setQueryData(['inbox', app], null)
            tell.done('The inbox was deleted.')
          }}
        >
          <p>What arrived there goes with it, and endpoints with its URL fail from now on. A new inbox has another URL.</p>
        </ActionDialog>
      )}
    </Section>
  )
}
