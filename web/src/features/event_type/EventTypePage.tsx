import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation, useParams } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take } from '@/api/client'
import { schedule } from '@/lib/time'
import { Button, LinkButton } from '@/ui/Button'
import { Schemas } from '@/ui/Catalogue'
import { Copyable } from '@/ui/Code'
import { ActionDialog } from '@/ui/Dialog'
import { ActionMenu } from '@/ui/Menu'
import { Facts, Page } from '@/ui/Page'
import { Badge, Failure, Skeleton } from '@/ui/State'
import { Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'

const ABOVE: [string, string][] = [['Event types', '/event-type']]

const VALIDATION = { off: 'are not looked at', warn: 'are taken, with a warning', enforce: 'are refused' }

export function useEventType(name: string) {
  return useQuery({
    queryKey: ['event-type', name],
    queryFn: () => take(api.GET('/api/v1/event-type/{event_type_name}', { params: { path: { event_type_name: name } } })),
  })
}

export default function EventTypePage() {
  const { name = '' } = useParams()
  const queries = useQueryClient()
  const { mayOwn } = useAccess()
  const { data: type, error, refetch } = useEventType(name)
  const [open, setOpen] = useState<'archive' | 'remove'>()

  async function change(body: { deprecated?: boolean; archived?: boolean }, done: string) {
    try {
      await take(api.PATCH('/api/v1/event-type/{event_type_name}', { params: { path: { event_type_name: name } }, body }))
      await queries.invalidateQueries({ queryKey: ['event-type'] })
      tell.done(done)
    } catch (cause) {
      tell.failed(cause)
    }
  }

  if (error) return <Page title="Event type" above={ABOVE} children={<Failure error={error} retry={() => void refetch()} />} />
  if (!type) return <Skeleton lines={6} />
  return (
    <Page
      title={type.name}
      above={ABOVE}
      note={
        <>
          {type.deprecated && <Badge tone="warn">Deprecated</Badge>}
          {type.archived && <Badge tone="quiet">Archived</Badge>}
        </>
      }
      actions={
        mayOwn && (
          <>
            <LinkButton href={`/event-type/${encodeURIComponent(name)}/edit`}>Edit</LinkButton>
            <Button
              onPress={() =>
                void change(
                  { deprecated: !type.deprecated },
                  type.deprecated ? 'No longer deprecated.' : 'Deprecated: it works on, and is marked as going away.',
                )
              }
            >
              {type.deprecated ? 'Undo deprecation' : 'Deprecate'}
            </Button>
            <ActionMenu
              label="More for this event type"
              actions={[
                type.archived
                  ? { text: 'Take out of the archive', run: () => void change({ archived: false }, 'Back in the catalogue.') }
                  : { text: 'Archive…', run: () => setOpen('archive') },
                { text: 'Remove…', danger: true, run: () => setOpen('remove') },
              ]}
            />
          </>
        )
      }
    >
      <p>{type.description}</p>
      <Facts
        facts={[
          ['Name', <Copyable text={type.name} />],
          ['Validation', `payloads that do not fit the schema ${VALIDATION[type.schemaValidation]}`],
          ['Retries', type.retrySchedule ? `after ${schedule(type.retrySchedule)}` : 'as the tenant or the server says'],
          ...(type.featureFlag ? [['Feature flag', type.featureFlag] as [string, string]] : []),
          ['Changed', <Time at={type.updatedAt} />],
        ]}
      />
      <Schemas schemas={type.schemas} />
      {open && <RemoveDialog name={name} remove={open === 'remove'} onClose={() => setOpen(undefined)} />}
    </Page>
  )
}

function RemoveDialog({ name, remove, onClose }: { name: string; remove: boolean; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  return (
    <ActionDialog
      title={`${remove ? 'Remove' : 'Archive'} ${name}?`}
      action={remove ? 'Remove it' : 'Archive it'}
      danger
      typeToConfirm={remove ? name : undefined}
      onClose={onClose}
      run={async () => {
        await take(
          api.DELETE('/api/v1/event-type/{event_type_name}', {
            params: { path: { event_type_name: name }, query: remove ? { expunge: true } : {} },
          }),
        )
        navigate('/event-type')
        await queries.invalidateQueries({ queryKey: ['event-type'] })
        tell.done(remove ? `${name} was removed.` : `${name} is in the archive.`)
      }}
    >
      <p>
        {remove
          ? 'It and its schemas leave the catalogue for good. Messages of this type stay. This cannot be undone.'
          : 'It leaves the catalogue; endpoints that chose it keep it. You can take it out of the archive again.'}
      </p>
    </ActionDialog>
  )
}
