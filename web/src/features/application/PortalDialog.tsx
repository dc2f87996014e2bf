import { useState, type FormEvent } from 'react'
import { api, take, type Application } from '@/api/client'
import { messageOf } from '@/api/error'
import type { PortalSection } from '@/api/portal'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ActionDialog, Dialog } from '@/ui/Dialog'
import { Checkbox, Select } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'

const LASTS = [
  ['3600', '1 hour'],
  ['86400', '1 day'],
  ['604800', '7 days'],
] as const

const SECTIONS: [section: PortalSection, text: string][] = [
  ['endpoints', 'Endpoints, with their settings'],
  ['messages', 'Messages, with their payloads and attempts'],
  ['event-types', 'Event types'],
]

// A link that shows this application, and nothing else, to the customer.
export function PortalDialog({ application, onClose }: { application: Application; onClose: () => void }) {
  const [seconds, setSeconds] = useState('3600')
  const [readOnly, setReadOnly] = useState(false)
  const [sections, setSections] = useState(SECTIONS.map(([section]) => section))
  const [url, setUrl] = useState<string>()
  const [error, setError] = useState<unknown>()

  async function submit(event: FormEvent) {
    event.preventDefault()
    try {
      const made = await take(
        api.POST('/api/v1/auth/app-portal-access/{app_id}', {
          params: { path: { app_id: application.id } },
          body: { expiry: Number(seconds), readOnly, sections },
        }),
      )
      setUrl(made.url)
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Dialog title={`Portal link for ${application.name}`} onClose={onClose}>
      {url ? (
        <>
          <p>
            Whoever has this link sees this application’s{' '}
            {SECTIONS.filter(([section]) => sections.includes(section))
              .map(([section]) => section.replace('-', ' '))
              .join(', ')}
            {readOnly || !sections.includes('endpoints') ? '' : ' and can change its endpoints'}, until the link ends.
          </p>
          <CodeBlock text={url} label="The link" />
          <div className="dialog-actions">
            <Button look="primary" onPress={onClose}>
              Done
            </Button>
          </div>
        </>
      ) : (
        <form onSubmit={submit} className="stack">
          <p>Gives your customer this dashboard, for this application only. Your back end can make such links too.</p>
          <Select label="Lasts" value={seconds} onChange={setSeconds} options={LASTS} />
          <Checkbox isSelected={readOnly} onChange={setReadOnly}>
            To look only
          </Checkbox>
          <fieldset>
            <legend>Shows</legend>
            {SECTIONS.map(([section, text]) => (
              <Checkbox
                key={section}
                isSelected={sections.includes(section)}
                onChange={on => setSections(on ? [...sections, section] : sections.filter(other => other !== section))}
              >
                {text}
              </Checkbox>
            ))}
          </fieldset>
          {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
          <div className="dialog-actions">
            <Button onPress={onClose}>Cancel</Button>
            <Button type="submit" look="primary" isDisabled={sections.length === 0}>
              Make a link
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  )
}

export function EndLinksDialog({ application, onClose }: { application: Application; onClose: () => void }) {
  return (
    <ActionDialog
      title="End all portal links?"
      action="End them"
      danger
      onClose={onClose}
      run={async () => {
        await take(api.POST('/api/v1/auth/app/{app_id}/expire-all', { params: { path: { app_id: application.id } }, body: {} }))
        tell.done('All portal links of this application have ended.')
      }}
    >
      <p>Every portal link for {application.name} stops working at once, also for those who look at it now.</p>
    </ActionDialog>
  )
}
