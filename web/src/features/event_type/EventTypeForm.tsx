import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useLocation, useParams } from 'wouter'
import { api, take, type EventType, type Schemas } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { examplePayload } from '@/lib/example'
import { isJson } from '@/lib/json'
import { parseSchedule, schedule } from '@/lib/time'
import { Button, LinkButton } from '@/ui/Button'
import { Body } from '@/ui/Code'
import { Select, TextField } from '@/ui/Field'
import { Page } from '@/ui/Page'
import { Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'
import { useEventType } from './EventTypePage'

const FIRST_SCHEMA = JSON.stringify({ type: 'object', properties: { id: { type: 'string' } }, required: ['id'] }, null, 2)

export default function EventTypeFormPage() {
  const { name } = useParams()
  return name === undefined ? <EventTypeForm /> : <Edit name={name} />
}

function Edit({ name }: { name: string }) {
  const { data, error, refetch } = useEventType(name)
  if (error) return <Page title="Event type" children={<Failure error={error} retry={() => void refetch()} />} />
  return data ? <EventTypeForm type={data} /> : <Skeleton lines={6} />
}

const VALIDATION: readonly (readonly [Schemas['SchemaValidation'], string])[] = [
  ['off', 'are not looked at'],
  ['warn', 'are taken, with a warning in the answer'],
  ['enforce', 'are refused'],
]

function newestVersion(type: EventType | undefined) {
  return Object.keys(type?.schemas ?? {})
    .sort((a, b) => Number(a) - Number(b) || a.localeCompare(b))
    .at(-1)
}

function EventTypeForm({ type }: { type?: EventType }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  const newest = newestVersion(type)
  const [name, setName] = useState(type?.name ?? '')
  const [description, setDescription] = useState(type?.description ?? '')
  const [version, setVersion] = useState(newest ?? '1')
  const [schema, setSchema] = useState(newest ? JSON.stringify(type!.schemas![newest], null, 2) : type ? '' : FIRST_SCHEMA)
  const [validation, setValidation] = useState<Schemas['SchemaValidation']>(type?.schemaValidation ?? 'off')
  const [retries, setRetries] = useState(type?.retrySchedule ? schedule(type.retrySchedule) : '')
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)
  const parsed = parseSchedule(retries)
  const retryFault = 'wrong' in parsed ? `“${parsed.wrong}” is no time like 30 s, 5 min or 2 h.` : faults.retrySchedule
  const schemaFault = schema.trim() !== '' && !isJson(schema) ? 'This is no JSON.' : faults.schemas
  const back = type ? `/event-type/${encodeURIComponent(type.name)}` : '/event-type'

  async function submit(event: FormEvent) {
    event.preventDefault()
    if ('wrong' in parsed || (schema.trim() !== '' && !isJson(schema))) return
    const schemas = { ...type?.schemas } as Record<string, unknown>
    if (schema.trim() !== '') schemas[version] = JSON.parse(schema)
    else delete schemas[version]
    const body = {
      description,
      schemas: Object.keys(schemas).length > 0 ? (schemas as Schemas['EventTypeIn']['schemas']) : null,
      schemaValidation: validation,
      retrySchedule: parsed.seconds.length > 0 ? parsed.seconds : null,
    }
    try {
      const saved = await (type
        ? take(api.PATCH('/api/v1/event-type/{event_type_name}', { params: { path: { event_type_name: type.name } }, body }))
        : take(api.POST('/api/v1/event-type', { body: { name: name.trim(), ...body } })))
      await queries.invalidateQueries({ queryKey: ['event-type'] })
      tell.done(type ? 'Changes saved.' : `${saved.name} is in the catalogue.`)
      navigate(`/event-type/${encodeURIComponent(saved.name)}`)
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Page
      title={type ? `Edit ${type.name}` : 'New event type'}
      above={[['Event types', '/event-type'], ...(type ? [[type.name, back] as [string, string]] : [])]}
    >
      <form onSubmit={submit} className="halves">
        <div className="form">
          {!type && (
            <TextField
              label="Name"
              value={name}
              onChange={setName}
              error={faults.name}
              placeholder="invoice.paid"
              hint="Dots make a tree: invoice.paid is below invoice."
              autoFocus
              mono
            />
          )}
          <TextField
            label="Description"
            value={description}
            onChange={setDescription}
            error={faults.description}
            hint="Your customers read it."
          />
          <TextField
            label="Version of the schema"
            value={version}
            onChange={setVersion}
            hint="A new name here adds a version beside the others."
          />
          <TextField label="JSON Schema" value={schema} onChange={setSchema} error={schemaFault} rows={14} hint="Optional." mono />
          <Select
            label="Payloads that do not fit the schema"
            value={validation}
            onChange={value => setValidation(value as Schemas['SchemaValidation'])}
            options={VALIDATION}
          />
          <TextField
            label="Retry after"
            value={retries}
            onChange={setRetries}
            error={retryFault}
            placeholder="5 s, 5 min, 30 min"
            hint="The waits between attempts. Empty: those of the tenant or the server."
          />
          {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
          <div className="form-foot">
            <Button type="submit" look="primary" isDisabled={name.trim() === '' || description.trim() === ''}>
              {type ? 'Save' : 'Create event type'}
            </Button>
            <LinkButton href={back}>Cancel</LinkButton>
          </div>
        </div>
        <section className="stack" aria-label="Example">
          <h2>Example</h2>
          <p className="hint">Made from the schema; test events begin with it.</p>
          {schema.trim() !== '' && isJson(schema) ? (
            <Body text={examplePayload({ '1': JSON.parse(schema) as unknown })} label="Example" />
          ) : (
            <p className="quiet">A schema makes one.</p>
          )}
        </section>
      </form>
    </Page>
  )
}
