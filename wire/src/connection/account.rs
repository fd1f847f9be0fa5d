//! The connection's entry in the account of memory ([`crate::memory`]).

use super::Connection;
use crate::framing::BadCommand;
use crate::listen::Slot;
use crate::memory::NoMemory;

impl Connection {
    /// Sets memory aside for what the session keeps besides the connection's buffers; replaces what was set aside before.
    ///
    /// # Errors
    /// [`NoMemory`], and what was set aside before stays so. Never for less than that.
    pub fn set_aside(&mut self, octets: u64) -> Result<(), NoMemory> {
        let wanted = self.holds() - self.aside + octets;
        if octets > self.aside
            && let Some(slot) = &mut self.slot
        {
            slot.held().may_hold(wanted)?;
        }
        self.aside = octets;
        self.settle();
        Ok(())
    }

    /// Gives back what was set aside.
    pub fn release(&mut self) {
        if self.aside > 0 {
            self.aside = 0;
            self.settle();
        }
    }

    /// Whether memory is short, and what can be done with less should be.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.slot.as_ref().is_some_and(Slot::is_tight)
    }

    /// What it holds now.
    pub(super) fn holds(&self) -> u64 {
        // A literal that is being read whole counts from its announcement on, not as input too.
        let input = (self.input.capacity() as u64).saturating_sub(self.arguments);
        input + self.arguments + self.output.len() as u64 + self.aside
    }

    /// Tells the account what it holds now. Costs a comparison where nothing has changed.
    pub(super) fn settle(&mut self) {
        let holds = self.holds();
        if let Some(slot) = &mut self.slot {
            slot.held().set(holds);
        }
    }

    /// Between commands there are no arguments.
    pub(super) fn forget_arguments(&mut self) {
        if self.arguments > 0 && !self.commands.mid_command() {
            self.arguments = 0;
            self.settle();
        }
    }

    /// Counts an argument that is to be read whole.
    pub(super) fn hold_argument(&mut self, octets: u64) -> Result<(), BadCommand> {
        let wanted = self.holds() + octets;
        if let Some(slot) = &mut self.slot
            && let Err(why) = slot.held().may_hold(wanted)
        {
            return self.commands.refuse_for_memory(why);
        }
        self.arguments += octets;
        self.settle();
        Ok(())
    }
}
