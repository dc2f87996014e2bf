// Ctrl K: go anywhere, or straight to the object whose id or uid is typed.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Autocomplete, useFilter } from 'react-aria-components/Autocomplete'
import { Dialog } from 'react-aria-components/Dialog'
import { Input } from 'react-aria-components/Input'
import { Menu, MenuItem } from 'react-aria-components/Menu'
import { Modal, ModalOverlay } from 'react-aria-components/Modal'
import { SearchField } from 'react-aria-components/SearchField'
import { useLocation } from 'wouter'
import { api, take } from '@/api/client'
import { credential } from '@/api/credential'
import { setTheme, theme } from './theme'

interface Command {
  id: string
  text: string
  note?: string
  run: () => void
}

export default function Palette({ onClose }: { onClose: () => void }) {
  const [, navigate] = useLocation()
  const [typed, setTyped] = useState('')
  const { contains } = useFilter({ sensitivity: 'base' })
  const applications = useQuery({
    queryKey: ['app', 'palette'],
    queryFn: () => take(api.GET('/api/v1/app', { params: { query: { limit: 250 } } })),
    staleTime: 30_000,
  })
  const exact = useQuery({
    queryKey: ['app', 'exact', typed],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}', { params: { path: { app_id: typed } } })).catch(() => null),
    enabled: /^[\w.-]{3,}$/.test(typed),
    staleTime: 30_000,
  })

  const go = (href: string) => () => navigate(href)
  const commands: Command[] = [
    { id: 'overview', text: 'Overview', run: go('/') },
    { id: 'applications', text: 'Applications', run: go('/app') },
    { id: 'new-application', text: 'New application', run: go('/app?new') },
    { id: 'event-types', text: 'Event types', run: go('/event-type') },
    { id: 'new-event-type', text: 'New event type', run: go('/event-type/new') },
    { id: 'live', text: 'Live', run: go('/tail') },
    { id: 'tasks', text: 'Background tasks', run: go('/task') },
    { id: 'settings', text: 'Settings', run: go('/settings') },
    { id: 'api-keys', text: 'API keys', run: go('/settings/keys') },
    { id: 'operational', text: 'Operational webhooks', run: go('/settings/operational') },
    { id: 'portal', text: 'Portal: look and frames', run: go('/settings/portal') },
    { id: 'environments', text: 'Environments', run: go('/settings/environments') },
    { id: 'usage', text: 'Usage and quotas', run: go('/settings/usage') },
    { id: 'audit', text: 'Audit log', run: go('/settings/audit') },
    { id: 'docs', text: 'API documentation', run: () => location.assign('/docs') },
    { id: 'theme', text: theme() === 'dark' ? 'Light theme' : 'Dark theme', run: () => setTheme(theme() === 'dark' ? 'light' : 'dark') },
    { id: 'sign-out', text: 'Sign out', run: () => credential.forget() },
  ]
  const known = applications.data?.data ?? []
  const found = exact.data && !known.some(app => app.id === exact.data?.id) ? [...known, exact.data] : known
  for (const app of found)
    commands.push({ id: app.id, text: app.name, note: [app.uid, app.id].filter(Boolean).join(' · '), run: go(`/app/${app.id}`) })

  return (
    <ModalOverlay isOpen isDismissable onOpenChange={open => !open && onClose()} className="overlay top">
      <Modal className="modal palette">
        <Dialog aria-label="Search and commands" className="dialog bare">
          <Autocomplete inputValue={typed} onInputChange={setTyped} filter={contains}>
            <SearchField aria-label="Page, application, id or uid" autoFocus className="palette-field">
              <Input className="palette-input" placeholder="Page, application, id or uid" />
            </SearchField>
            <Menu
              items={commands}
              aria-label="Commands"
              className="menu palette-menu"
              renderEmptyState={() => <p className="quiet palette-empty">Nothing of that name.</p>}
            >
              {command => (
                <MenuItem
                  id={command.id}
                  textValue={[command.text, command.note].filter(Boolean).join(' ')}
                  className="menu-item"
                  onAction={() => {
                    onClose()
                    command.run()
                  }}
                >
                  {command.text}
                  {command.note && <span className="quiet menu-note">{command.note}</span>}
                </MenuItem>
              )}
            </Menu>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
