import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useParams } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take, type Attempt, type Message, type Schemas } from '@/api/client'
import { useApplication } from '@/api/queries'
import { byteLength, bytes } from '@/lib/bytes'
import { statusOf } from '@/lib/status'
import { AttemptOutcome } from '@/ui/Attempt'
import { Button } from '@/ui/Button'
import { Body, Copyable } from '@/ui/Code'
import { ActionDialog } from '@/ui/Dialog'
import { ActionMenu } from '@/ui/Menu'
import { Facts, Page, Section } from '@/ui/Page'
import { Badge, Empty, Failure, Note, Skeleton } from '@/ui/State'
import { Ago, Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'
import { AttemptDetail } from './AttemptDetail'

type Target = Schemas['MessageEndpointOut']

export default function MessagePage() {
  const { app = '', msg = '' } = useParams()
  const application = useApplication(app)
  const path = { app_id: app, msg_id: msg }
  const loaded = useQuery({
    queryKey: ['message', app, msg],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/msg/{msg_id}', { params: { path, query: { with_content: false } } })),
    staleTime: 60_000,
  })
  const above: [string, string][] = [
    ['Applications', '/app'],
    [application.data?.name ?? app, `/app/${app}`],
    ['Messages', `/app/${app}/msg`],
  ]
  if (loaded.error)
    return <Page title="Message" above={above} children={<Failure error={loaded.error} retry={() => void loaded.refetch()} />} />
  if (!loaded.data) return <Skeleton lines={8} />
  const message = loaded.data
  return (
    <Page title={message.eventType} above={above} note={<Copyable text={message.id} />}>
      <Facts
        facts={[
          ['Accepted', <Time at={message.timestamp} />],
          ...(message.eventId ? [['Event id', <Copyable text={message.eventId} />] as [string, React.ReactNode]] : []),
          ...(message.channels ? [['Channels', message.channels.join(', ')] as [string, React.ReactNode]] : []),
          ...(message.tags ? [['Tags', message.tags.join(', ')] as [string, React.ReactNode]] : []),
        ]}
      />
      {message.deliverAt && <Planned app={app} message={message} at={message.deliverAt} />}
      <Deliveries app={app} message={message} />
      <Payload app={app} message={message} />
    </Page>
  )
}

// A message for later, whose time has not come as far as we know.
function Planned({ app, message, at }: { app: string; message: Message; at: string }) {
  const queries = useQueryClient()
  const { mayOwn } = useAccess()
  const [cancelling, setCancelling] = useState(false)
  if (new Date(at).getTime() < Date.now()) return null
  return (
    <Note tone="warn">
      <span>
        Planned for <Time at={at} />, <Ago at={at} />.
      </span>
      {mayOwn && <Button onPress={() => setCancelling(true)}>Cancel it…</Button>}
      {cancelling && (
        <ActionDialog
          title="Cancel this message?"
          action="Cancel the message"
          danger
          onClose={() => setCancelling(false)}
          run={async () => {
            const params = { path: { app_id: app, msg_id: message.id } }
            await take(api.DELETE('/api/v1/app/{app_id}/msg/{msg_id}/schedule', { params }))
            await queries.invalidateQueries({ queryKey: ['message', app, message.id] })
            tell.done('It is not delivered.')
          }}
        >
          <p>No endpoint gets it. It stays in the list of messages.</p>
        </ActionDialog>
      )}
    </Note>
  )
}

// The text as it was sent: parsing would change long numbers.
function Payload({ app, message }: { app: string; message: Message }) {
  const [raw, setRaw] = useState(false)
  const [removing, setRemoving] = useState(false)
  const { mayOwn } = useAccess()
  const queries = useQueryClient()
  const path = { app_id: app, msg_id: message.id }
  const payload = useQuery({
    queryKey: ['message', app, message.id, 'raw'],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/msg/{msg_id}/raw', { params: { path } })),
    staleTime: 60_000,
  })
  const text = payload.data?.payload ?? ''
  return (
    <Section
      title="Payload"
      actions={
        <>
          <span className="quiet number">{payload.data && bytes(byteLength(text))}</span>
          <div className="segments" role="group" aria-label="How the payload is shown">
            <button type="button" aria-pressed={!raw} onClick={() => setRaw(false)}>
              Laid out
            </button>
            <button type="button" aria-pressed={raw} onClick={() => setRaw(true)}>
              As sent
            </button>
          </div>
          {mayOwn && (
            <ActionMenu
              label="More for this payload"
              actions={[{ text: 'Remove the payload…', danger: true, run: () => setRemoving(true) }]}
            />
          )}
        </>
      }
    >
      {payload.error ? (
        <Failure error={payload.error} />
      ) : payload.isPending ? (
        <Skeleton lines={6} />
      ) : (
        <Body text={text} label="Payload" raw={raw} />
      )}
      {removing && (
        <ActionDialog
          title="Remove the payload?"
          action="Remove it"
          danger
          typeToConfirm={message.eventType}
          onClose={() => setRemoving(false)}
          run={async () => {
            await take(api.DELETE('/api/v1/app/{app_id}/msg/{msg_id}/content', { params: { path } }))
            await queries.invalidateQueries({ queryKey: ['message', app, message.id] })
            tell.done('The payload was removed.')
          }}
        >
          <p>
            It can no longer be seen or sent again, and deliveries of it that wait are cancelled. The record of what happened stays. This
            cannot be undone.
          </p>
        </ActionDialog>
      )}
    </Section>
  )
}

function Deliveries({ app, message }: { app: string; message: Message }) {
  const path = { app_id: app, msg_id: message.id }
  const targets = useQuery({
    queryKey: ['message', app, message.id, 'endpoints'],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/msg/{msg_id}/endpoint', { params: { path, query: { limit: 250 } } })),
    refetchInterval: 2000,
  })
  const attempts = useQuery({
    queryKey: ['message', app, message.id, 'attempts'],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/attempt/msg/{msg_id}', { params: { path, query: { limit: 250 } } })),
    refetchInterval: 2000,
  })
  return (
    <Section title="Deliveries">
      {targets.error && <Failure error={targets.error} retry={() => void targets.refetch()} />}
      {targets.isPending && <Skeleton lines={3} />}
      {targets.data?.data.length === 0 && (
        <Empty title="No endpoint took this message.">
          <p>None was enabled for its event type and channels when it came.</p>
        </Empty>
      )}
      {targets.data?.data.map(target => (
        <Delivery
          key={target.id}
          app={app}
          message={message}
          target={target}
          attempts={(attempts.data?.data ?? []).filter(attempt => attempt.endpointId === target.id)}
        />
      ))}
    </Section>
  )
}

function Delivery({ app, message, target, attempts }: { app: string; message: Message; target: Target; attempts: Attempt[] }) {
  const queries = useQueryClient()
  const [text, tone] = statusOf(target.statusText)
  const [opened, setOpened] = useState(new Set<string>())
  const { mayChange } = useAccess()

  async function resend() {
    try {
      await take(
        api.POST('/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend', {
          params: { path: { app_id: app, msg_id: message.id, endpoint_id: target.id } },
        }),
      )
      tell.done('It goes out once more now.')
      await queries.invalidateQueries({ queryKey: ['message', app, message.id] })
    } catch (error) {
      tell.failed(error)
    }
  }

  return (
    <article className="panel">
      <header className="section-head">
        <div className="page-title">
          <Badge tone={tone}>{text}</Badge>
          <Link href={`/app/${app}/endpoint/${target.id}`}>{target.url}</Link>
        </div>
        <div className="actions">
          {target.nextAttempt && (
            <span className="quiet">
              {target.paused ? (
                'waits while the endpoint is paused'
              ) : (
                <>
                  next attempt <Ago at={target.nextAttempt} dueWord="due now" />
                </>
              )}
            </span>
          )}
          {mayChange && (
            <Button aria-label={`Resend to ${target.url}`} onPress={() => void resend()}>
              Resend
            </Button>
          )}
        </div>
      </header>
      {attempts.length > 0 && (
        <ol className="timeline">
          {attempts.map((attempt, i) => (
            <li key={attempt.id}>
              <details
                open={opened.has(attempt.id) || i === 0}
                onToggle={event => event.currentTarget.open && setOpened(new Set(opened).add(attempt.id))}
              >
                <summary>
                  <AttemptOutcome attempt={attempt} />
                  <Time at={attempt.timestamp} />
                  <span className="number quiet">{attempt.responseDurationMs} ms</span>
                  {attempt.triggerType === 1 && <span className="quiet">by hand</span>}
                </summary>
                {(opened.has(attempt.id) || i === 0) && <AttemptDetail app={app} attempt={attempt} />}
              </details>
            </li>
          ))}
        </ol>
      )}
      {attempts.length === 0 && <p className="quiet">No attempt yet.</p>}
    </article>
  )
}
