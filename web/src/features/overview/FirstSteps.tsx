// The way from nothing to an event that has arrived, each step done where it stands.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent, type ReactNode } from 'react'
import { Link } from 'wouter'
import { api, take } from '@/api/client'
import { openInbox, useInbox } from '@/api/inbox'
import { send } from '@/api/send'
import { examplePayload } from '@/lib/example'
import { sendSnippets, verifySnippets } from '@/lib/snippets'
import { Arrivals } from '@/ui/Arrivals'
import { Button, LinkButton } from '@/ui/Button'
import { Snippets } from '@/ui/Code'
import { TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { Section } from '@/ui/Page'
import { tell } from '@/ui/Toast'
import type { Progress } from './progress'

const EXAMPLE: Record<string, unknown> = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', examples: ['in_42'] }, amount: { type: 'integer', examples: [1200] } },
}

interface Step {
  done: boolean
  text: string
  why: ReactNode
  act: ReactNode // what there is to do while it is the next one
}

export function FirstSteps({ progress, onEnd }: { progress: Progress; onEnd: () => void }) {
  const { application, endpoint, eventType, sent, delivered } = progress
  const inbox = useInbox(application?.id)
  const steps: Step[] = [
    {
      done: Boolean(application),
      text: 'Create an application',
      why: application ? (
        <Link href={`/app/${application.id}`}>{application.name}</Link>
      ) : (
        'One for each customer of yours who gets webhooks.'
      ),
      act: <NewApplication />,
    },
    {
      done: Boolean(endpoint),
      text: 'Give it an endpoint',
      why: endpoint ? (
        <Link href={`/app/${application!.id}/endpoint/${endpoint.id}`}>{endpoint.description || endpoint.url}</Link>
      ) : (
        'The URL where this customer wants them. To try it out, a test inbox in Posthorn.'
      ),
      act: application && <NewEndpoint app={application.id} />,
    },
    {
      done: Boolean(eventType),
      text: 'Name an event type',
      why: eventType ? (
        <Link href={`/event-type/${eventType.name}`}>{eventType.name}</Link>
      ) : (
        'What happens in your product, as customers choose it for their endpoints.'
      ),
      act: <NewEventType />,
    },
    {
      done: sent,
      text: 'Send an example event',
      why: 'The same as your back end will send.',
      act: application && eventType && <SendExample app={application.id} name={eventType.name} schemas={eventType.schemas} />,
    },
    {
      done: delivered,
      text: 'See it arrive',
      why: delivered ? 'Signed, delivered and kept, with what came back.' : 'Below, in a moment.',
      act: null,
    },
  ]
  const next = steps.findIndex(({ done }) => !done)
  return (
    <>
      <ol className="checklist" aria-label="First steps">
        {steps.map(({ done, text, why, act }, i) => (
          <li key={text} className={done ? 'done' : i === next ? 'next' : undefined}>
            <span className="step">{done ? <Icon name="check" /> : i + 1}</span>
            <span className="grow">
              <strong>{text}</strong>
              {done && <span className="unseen"> (done)</span>}
              <span className="quiet"> {why}</span>
            </span>
            {i === next && act}
          </li>
        ))}
      </ol>
      {application && inbox.data && endpoint && <Arrivals app={application.id} />}
      {delivered && <Next progress={progress} onEnd={onEnd} />}
    </>
  )
}

// Does it, tells what went wrong, and looks again how far it is.
function useStep() {
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const run = async (act: () => Promise<unknown>, changed: string[]) => {
    setBusy(true)
    try {
      await act()
      await Promise.all(['overview', ...changed].map(first => queries.invalidateQueries({ queryKey: [first] })))
    } catch (error) {
      tell.failed(error)
    } finally {
      setBusy(false)
    }
  }
  return { busy, run }
}

function NewApplication() {
  const { busy, run } = useStep()
  const [name, setName] = useState('Acme')
  function submit(event: FormEvent) {
    event.preventDefault()
    void run(() => take(api.POST('/api/v1/app', { body: { name } })), ['app'])
  }
  return (
    <form onSubmit={submit} className="row">
      <TextField label="Name of the customer" value={name} onChange={setName} />
      <Button type="submit" look="primary" isDisabled={busy || name.trim() === ''}>
        Create
      </Button>
    </form>
  )
}

function NewEndpoint({ app }: { app: string }) {
  const { busy, run } = useStep()
  return (
    <div className="row">
      <Button look="primary" isDisabled={busy} onPress={() => void run(() => openInbox(app), ['inbox', 'endpoint'])}>
        Use the test inbox
      </Button>
      <LinkButton href={`/app/${app}/endpoint/new`}>A URL of mine</LinkButton>
    </div>
  )
}

function NewEventType() {
  const { busy, run } = useStep()
  const [name, setName] = useState('invoice.paid')
  function submit(event: FormEvent) {
    event.preventDefault()
    void run(
      () => take(api.POST('/api/v1/event-type', { body: { name, description: '', schemas: { '1': EXAMPLE as Record<string, never> } } })),
      ['event-type'],
    )
  }
  return (
    <form onSubmit={submit} className="row">
      <TextField label="Event type" value={name} onChange={setName} mono />
      <Button type="submit" look="primary" isDisabled={busy || name.trim() === ''}>
        Create
      </Button>
    </form>
  )
}

interface SendExampleProps {
  app: string
  name: string
  schemas: Record<string, unknown> | null | undefined
}

function SendExample({ app, name, schemas }: SendExampleProps) {
  const { busy, run } = useStep()
  return (
    <Button look="primary" isDisabled={busy} onPress={() => void run(() => send(app, name, examplePayload(schemas)), ['message'])}>
      Send
    </Button>
  )
}

// It works: how the person's own code does the same.
function Next({ progress: { application, endpoint, eventType }, onEnd }: { progress: Progress; onEnd: () => void }) {
  const path = { app_id: application?.id ?? '', endpoint_id: endpoint?.id ?? '' }
  const secret = useQuery({
    queryKey: ['endpoint', path.app_id, path.endpoint_id, 'secret'],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret', { params: { path } })),
    enabled: endpoint !== undefined,
  })
  if (!application) return null
  const name = eventType?.name ?? 'invoice.paid'
  return (
    <Section
      title="It works. Now from your code"
      actions={
        <Button look="primary" onPress={onEnd}>
          Go to the overview
        </Button>
      }
    >
      <div className="halves">
        <div className="stack">
          <h3>Your back end sends</h3>
          <Snippets
            label="Send a message"
            snippets={sendSnippets(location.origin, application.uid ?? application.id, name, examplePayload(eventType?.schemas))}
          />
          <p className="quiet">
            <code>POSTHORN_KEY</code> is an <Link href="/settings/keys">API key</Link> of yours.
          </p>
        </div>
        {secret.data && (
          <div className="stack">
            <h3>Whoever receives checks</h3>
            <Snippets label="Check a webhook" snippets={verifySnippets(secret.data.key)} />
          </div>
        )}
      </div>
    </Section>
  )
}
