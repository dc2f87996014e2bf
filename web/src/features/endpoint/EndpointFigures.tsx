import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, take } from '@/api/client'
import { count } from '@/lib/bytes'
import { Select } from '@/ui/Field'

const RANGES = [
  ['1', 'last hour'],
  ['24', 'last day'],
  ['168', 'last 7 days'],
  ['672', 'last 28 days'],
] as const

// Counts of deliveries in a range of time.
export function EndpointFigures({ app, endpoint }: { app: string; endpoint: string }) {
  const [hours, setHours] = useState('24')
  const { data } = useQuery({
    queryKey: ['endpoint', app, endpoint, 'stats', hours],
    queryFn: () =>
      take(
        api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats', {
          params: {
            path: { app_id: app, endpoint_id: endpoint },
            query: { since: new Date(Date.now() - Number(hours) * 3_600_000).toISOString() },
          },
        }),
      ),
    refetchInterval: 5000,
  })
  const finished = data ? data.success + data.fail : 0
  const figures: [string, string][] = [
    ['Delivered', data ? count(data.success) : '–'],
    ['Failed', data ? count(data.fail) : '–'],
    ['Success', finished > 0 ? `${((100 * data!.success) / finished).toFixed(1)} %` : '–'],
    ['Waiting', data ? count(data.pending + data.sending) : '–'],
    ['Cancelled', data ? count(data.canceled) : '–'],
  ]
  return (
    <div className="figures-line">
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Select label="Range" compact value={hours} onChange={setHours} options={RANGES} />
    </div>
  )
}
