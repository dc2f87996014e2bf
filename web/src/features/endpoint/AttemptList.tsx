import { useState } from 'react'
import { Link } from 'wouter'
import { api, take, type Attempt, type Schemas } from '@/api/client'
import { useFilters } from '@/api/filters'
import { usePages } from '@/api/pages'
import { fromField } from '@/lib/time'
import { AttemptDialog, AttemptOutcome } from '@/ui/Attempt'
import { Button } from '@/ui/Button'
import { DateField, Select } from '@/ui/Field'
import { List, type Column } from '@/ui/List'
import { Empty } from '@/ui/State'
import { Time } from '@/ui/Time'

const OUTCOMES = [
  ['', 'Any outcome'],
  ['0', 'Succeeded'],
  ['2', 'Failed'],
] as const

const CLASSES = [
  ['', 'Any answer'],
  ['200', '2xx'],
  ['300', '3xx'],
  ['400', '4xx'],
  ['500', '5xx'],
  ['0', 'No answer'],
] as const

export function AttemptList({ app, endpoint }: { app: string; endpoint: string }) {
  const filters = useFilters()
  const [shown, setShown] = useState<Attempt>()
  const number = (name: string) => (filters.get(name) === '' ? undefined : Number(filters.get(name)))
  const pages = usePages<Attempt>(
    ['endpoint', app, endpoint, 'attempts', filters.text],
    iterator =>
      take(
        api.GET('/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}', {
          params: {
            path: { app_id: app, endpoint_id: endpoint },
            query: {
              limit: 100,
              iterator,
              status: number('status') as Schemas['MessageStatus'] | undefined,
              status_code_class: number('class') as Schemas['StatusCodeClass'] | undefined,
              after: fromField(filters.get('after')),
              before: fromField(filters.get('before')),
            },
          },
        }),
      ),
    4000,
  )
  const columns: Column<Attempt>[] = [
    {
      title: 'Time',
      width: '10rem',
      cell: attempt => (
        <button type="button" className="row-link" onClick={() => setShown(attempt)}>
          <Time at={attempt.timestamp} />
        </button>
      ),
    },
    { title: 'Outcome', width: '9rem', cell: attempt => <AttemptOutcome attempt={attempt} /> },
    { title: 'Took', width: '5rem', align: 'end', cell: attempt => <span className="number">{attempt.responseDurationMs} ms</span> },
    { title: 'By', named: true, width: '6rem', cell: attempt => (attempt.triggerType === 1 ? 'hand' : 'schedule') },
    {
      title: 'Message',
      width: 'minmax(0, 3fr)',
      cell: attempt => (
        <Link href={`/app/${app}/msg/${attempt.msgId}`}>
          <code>{attempt.msgId}</code>
        </Link>
      ),
    },
    { title: 'Answer', width: 'minmax(0, 3fr)', cell: attempt => <span className="quiet">{attempt.response.slice(0, 200)}</span> },
  ]
  return (
    <>
      <div className="filters">
        <Select label="Outcome" value={filters.get('status')} onChange={filters.set('status')} options={OUTCOMES} />
        <Select label="Answer" value={filters.get('class')} onChange={filters.set('class')} options={CLASSES} />
        <DateField label="From" value={filters.get('after')} onChange={filters.set('after')} />
        <DateField label="To" value={filters.get('before')} onChange={filters.set('before')} />
        {filters.any && <Button onPress={filters.clear}>Clear</Button>}
      </div>
      <List
        label="Attempts"
        pages={pages}
        columns={columns}
        keyOf={attempt => attempt.id}
        empty={<Empty title={filters.any ? 'No attempt like that.' : 'No attempt yet.'} />}
      />
      {shown && <AttemptDialog attempt={shown} onClose={() => setShown(undefined)} />}
    </>
  )
}
