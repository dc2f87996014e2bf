import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take, type Endpoint, type Schemas } from '@/api/client'
import { fromField, toField } from '@/lib/time'
import { ActionDialog } from '@/ui/Dialog'
import { DateField, Select } from '@/ui/Field'
import { tell } from '@/ui/Toast'

export type ReplayKind = 'recover' | 'missing' | 'replay'

const HOUR = 3_600_000

const TEXTS: Record<ReplayKind, { title: string; action: string; says: string }> = {
  recover: {
    title: 'Recover what failed',
    action: 'Recover',
    says: 'Sends again every message whose delivery here failed in this time. Those that arrived are left alone.',
  },
  missing: {
    title: 'Send what was missed',
    action: 'Send',
    says: 'Sends every message of this time that this endpoint should have got and was never tried: from before it existed, or while it was disabled.',
  },
  replay: {
    title: 'Replay',
    action: 'Replay',
    says: 'Sends again what was tried in this time. The receiver gets messages twice unless it looks at their id.',
  },
}

export function ReplayDialog({ kind, app, endpoint, onClose }: { kind: ReplayKind; app: string; endpoint: Endpoint; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  const { isTenant } = useAccess()
  const [since, setSince] = useState(toField(new Date(Date.now() - 24 * HOUR)))
  const [until, setUntil] = useState('')
  const [status, setStatus] = useState('')
  const text = TEXTS[kind]
  const start = fromField(since)

  async function run() {
    const params = { path: { app_id: app, endpoint_id: endpoint.id } }
    const range = { since: start!, until: fromField(until) ?? null }
    const task = await take(
      kind === 'recover'
        ? api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover', { params, body: range })
        : kind === 'missing'
          ? api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/replay-missing', { params, body: range })
          : api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/bulk-replay', {
              params,
              body: { ...range, status: status === '' ? null : (Number(status) as NonNullable<Schemas['BulkReplayIn']['status']>) },
            }),
    )
    await queries.invalidateQueries({ queryKey: ['task'] })
    tell.done(`${text.title}: started.`)
    if (isTenant) navigate(`/task/${task.id}`)
  }

  return (
    <ActionDialog title={text.title} action={text.action} onClose={onClose} run={run} disabled={!start}>
      <p>{text.says}</p>
      <div className="halves">
        <DateField label="From" value={since} onChange={setSince} />
        <DateField label="To (empty: now)" value={until} onChange={setUntil} />
      </div>
      {kind === 'replay' && (
        <Select
          label="Outcome"
          value={status}
          onChange={setStatus}
          options={[
            ['', 'Whatever came of it'],
            ['0', 'Delivered'],
            ['2', 'Failed'],
          ]}
        />
      )}
      <p className="hint">It runs in the background{isTenant && '; you see its progress next and can cancel it'}.</p>
    </ActionDialog>
  )
}

export function CancelDialog({ app, endpoint, onClose }: { app: string; endpoint: Endpoint; onClose: () => void }) {
  const queries = useQueryClient()
  return (
    <ActionDialog
      title="Cancel what is waiting?"
      action="Cancel deliveries"
      danger
      onClose={onClose}
      run={async () => {
        await take(
          api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/cancel-msgs', {
            params: { path: { app_id: app, endpoint_id: endpoint.id } },
            body: { createdBefore: new Date().toISOString() },
          }),
        )
        await queries.invalidateQueries({ queryKey: ['endpoint', app, endpoint.id] })
        tell.done('What was waiting is cancelled.')
      }}
    >
      <p>Every delivery to {endpoint.url} that waits now is given up, also those with attempts left. “Replay” can send them later.</p>
    </ActionDialog>
  )
}
