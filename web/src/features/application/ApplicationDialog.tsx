import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useLocation } from 'wouter'
import { api, take, type Application } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'

// Makes an application, or changes the one given.
export function ApplicationDialog({ application, onClose }: { application?: Application; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  const [name, setName] = useState(application?.name ?? '')
  const [uid, setUid] = useState(application?.uid ?? '')
  const [rate, setRate] = useState(application?.throttleRate?.toString() ?? '')
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)

  async function submit(event: FormEvent) {
    event.preventDefault()
    const body = { name, uid: uid || null, throttleRate: rate ? Number(rate) : null }
    try {
      const saved = await (application
        ? take(api.PATCH('/api/v1/app/{app_id}', { params: { path: { app_id: application.id } }, body }))
        : take(api.POST('/api/v1/app', { body })))
      await queries.invalidateQueries({ queryKey: ['app'] })
      tell.done(application ? 'Changes saved.' : `${saved.name} was created.`)
      if (application) onClose()
      else navigate(`/app/${saved.id}`)
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Dialog title={application ? `Edit ${application.name}` : 'New application'} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <TextField label="Name" value={name} onChange={setName} error={faults.name} autoFocus />
        <TextField
          label="Uid"
          value={uid}
          onChange={setUid}
          error={faults.uid}
          hint="Optional. Your own id for this customer: it works wherever the id does."
          mono
        />
        <TextField
          label="Messages a second"
          value={rate}
          onChange={text => setRate(text.replace(/\D/g, ''))}
          error={faults.throttleRate}
          inputMode="numeric"
          hint="Optional. Empty: as fast as they come."
        />
        {error !== undefined && Object.keys(faults).length === 0 && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={name.trim() === ''}>
            {application ? 'Save' : 'Create'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
