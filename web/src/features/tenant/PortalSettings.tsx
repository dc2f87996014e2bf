import { useQueryClient } from '@tanstack/react-query'
import { useState, type ChangeEvent, type CSSProperties, type FormEvent } from 'react'
import { ChangeOnly } from '@/api/access'
import { api, take, type Tenant } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { useTenant } from '@/api/queries'
import { OURS, tokensOf } from '@/lib/branding'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Section } from '@/ui/Page'
import { Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'

const LOGO_BYTES = 24_000 // as text at most 32 KiB
const COLOUR = /^#[0-9a-f]{6}$/i

export default function PortalSettings() {
  const tenant = useTenant()
  if (tenant.error) return <Failure error={tenant.error} retry={() => void tenant.refetch()} />
  if (!tenant.data) return <Skeleton lines={5} />
  return (
    <ChangeOnly>
      <PortalForm tenant={tenant.data} />
    </ChangeOnly>
  )
}

function PortalForm({ tenant }: { tenant: Tenant }) {
  const queries = useQueryClient()
  const branding = tenant.portalBranding
  const [origins, setOrigins] = useState(tenant.portalOrigins.join('\n'))
  const [name, setName] = useState(branding?.name ?? '')
  const [logo, setLogo] = useState(branding?.logo ?? '')
  const [accentLight, setAccentLight] = useState(branding?.accentLight ?? '')
  const [accentDark, setAccentDark] = useState(branding?.accentDark ?? '')
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)

  async function submit(event: FormEvent) {
    event.preventDefault()
    const look = { name: name.trim() || null, logo: logo.trim() || null, accentLight: accentLight || null, accentDark: accentDark || null }
    const body = {
      portalOrigins: origins.split(/\s+/).filter(Boolean),
      portalBranding: Object.values(look).some(Boolean) ? look : null,
    }
    try {
      await take(api.PATCH('/api/v1/tenant', { body }))
      await queries.invalidateQueries({ queryKey: ['tenant'] })
      setError(undefined)
      tell.done('Changes saved. Portals show them when they are opened again.')
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <form onSubmit={submit} className="halves">
      <div className="form">
        <TextField
          label="Pages that may show the portal in a frame"
          value={origins}
          onChange={setOrigins}
          error={faults.portalOrigins}
          rows={4}
          placeholder="https://app.example.com"
          hint="One origin a line: scheme, host, perhaps a port. Nobody else may. None: it is a page of its own only."
          mono
        />
        <TextField label="Name" value={name} onChange={setName} placeholder="Webhooks" hint="Stands above the portal." />
        <LogoField value={logo} onChange={setLogo} />
        <ColourField label="Colour on the light page" value={accentLight} onChange={setAccentLight} initial={OURS.light} />
        <ColourField label="Colour on the dark page" value={accentDark} onChange={setAccentDark} initial={OURS.dark} />
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="form-foot">
          <Button type="submit" look="primary">
            Save
          </Button>
        </div>
      </div>
      <Section title="Preview">
        {(['light', 'dark'] as const).map(scheme => (
          <Preview
            key={scheme}
            scheme={scheme}
            name={name.trim()}
            logo={logo}
            accentLight={COLOUR.test(accentLight) ? accentLight : OURS.light}
            accentDark={COLOUR.test(accentDark) ? accentDark : OURS.dark}
          />
        ))}
      </Section>
    </form>
  )
}

function LogoField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [fault, setFault] = useState<string>()
  const isImage = value.startsWith('data:')

  function read(event: ChangeEvent<HTMLInputElement>) {
    const file = event.target.files?.[0]
    if (!file) return
    if (file.size > LOGO_BYTES) {
      setFault(`This image is too large: at most ${LOGO_BYTES / 1000} kB.`)
      return
    }
    const reader = new FileReader()
    reader.onload = () => {
      setFault(undefined)
      onChange(String(reader.result))
    }
    reader.readAsDataURL(file)
  }

  return (
    <div className="stack">
      {isImage ? (
        <p className="row">
          The logo is an image that is kept here. <Button onPress={() => onChange('')}>Remove the logo</Button>
        </p>
      ) : (
        <TextField label="Address of the logo" value={value} onChange={onChange} placeholder="https://example.com/logo.png" mono />
      )}
      <label className="field">
        <span className="label">Image of the logo</span>
        <input type="file" accept="image/png,image/jpeg,image/gif,image/webp" onChange={read} />
        <span className={fault ? 'field-error' : 'hint'} role={fault ? 'alert' : undefined}>
          {fault ?? `PNG, JPEG, GIF or WebP, at most ${LOGO_BYTES / 1000} kB.`}
        </span>
      </label>
    </div>
  )
}

interface ColourFieldProps {
  label: string
  value: string
  initial: string
  onChange: (value: string) => void
}

function ColourField({ label, value, initial, onChange }: ColourFieldProps) {
  return (
    <div className="colour">
      <TextField
        label={label}
        value={value}
        onChange={onChange}
        placeholder={initial}
        error={value === '' || COLOUR.test(value) ? undefined : 'Like #1a2b3c.'}
        mono
      />
      <input
        type="color"
        aria-label={`${label}, choose`}
        value={COLOUR.test(value) ? value : initial}
        onChange={event => onChange(event.target.value)}
      />
    </div>
  )
}

interface PreviewProps {
  scheme: 'light' | 'dark'
  name: string
  logo: string
  accentLight: string
  accentDark: string
}

// As it will look. An image from elsewhere is shown on the portal only.
function Preview({ scheme, name, logo, ...colours }: PreviewProps) {
  return (
    <div
      className={`preview ${scheme}`}
      role="img"
      aria-label={`The portal, ${scheme}`}
      style={{ ...tokensOf(colours), colorScheme: scheme } as CSSProperties}
    >
      <strong className="row">
        {logo.startsWith('data:image/') && <img src={logo} alt="" className="brand" />}
        {name || 'Webhooks'}
      </strong>
      <span className="preview-link">https://customer.example.com/hook</span>
      <span className="button primary">New endpoint</span>
    </div>
  )
}
