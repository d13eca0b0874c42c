// SPDX-License-Identifier: GPL-2.0

//! What a kernel without devlink has: the same types, which do nothing.

use core::{
    convert::Infallible,
    marker::PhantomData, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    fmt,
    prelude::*,
    sync::Arc, //
};

use super::HealthReporter;

/// Stands for a devlink instance that nobody sees.
pub struct Registration(());

impl Registration {
    /// Registers nothing. Fails with `ENOMEM`.
    pub fn new(_dev: &Device<Bound>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(()), GFP_KERNEL)?)
    }
}

/// Holds the data of callbacks that nobody calls.
#[pin_data]
pub struct Reporter<T: HealthReporter> {
    #[pin]
    data: T,
    _devlink: Arc<Registration>,
}

impl<T: HealthReporter> Reporter<T> {
    /// Keeps the data. Fails with what it fails with.
    pub fn new<E>(devlink: Arc<Registration>, data: impl PinInit<T, E>) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        try_pin_init!(Self {
            data <- data,
            _devlink: devlink,
        }? Error)
    }

    /// The data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// Tells nobody.
    ///
    /// # Errors
    ///
    /// None.
    pub fn report(&self, _message: &CStr, _context: &T::Context) -> Result {
        Ok(())
    }

    /// Tells nobody.
    pub fn recovered(&self) {}
}

/// The inside of an object. There are no messages, so there is none.
pub struct Object<'a>(Infallible, PhantomData<&'a mut ()>);

impl Object<'_> {
    /// A truth value.
    pub fn bool(&mut self, _name: &CStr, _value: bool) {
        match self.0 {}
    }

    /// A number of 32 bits.
    pub fn u32(&mut self, _name: &CStr, _value: u32) {
        match self.0 {}
    }

    /// A number of 64 bits.
    pub fn u64(&mut self, _name: &CStr, _value: u64) {
        match self.0 {}
    }

    /// A string.
    pub fn string(&mut self, _name: &CStr, _value: &CStr) {
        match self.0 {}
    }

    /// A string made of `value`.
    pub fn text(&mut self, _name: &CStr, _value: fmt::Arguments<'_>) {
        match self.0 {}
    }

    /// An object.
    pub fn object(&mut self, _name: &CStr, _fill: impl FnOnce(&mut Object<'_>)) {
        match self.0 {}
    }

    /// An array.
    pub fn array(&mut self, _name: &CStr, _fill: impl FnOnce(&mut Array<'_>)) {
        match self.0 {}
    }
}

/// The inside of an array. There are no messages, so there is none.
pub struct Array<'a>(Infallible, PhantomData<&'a mut ()>);

impl Array<'_> {
    /// A number.
    pub fn u32(&mut self, _value: u32) {
        match self.0 {}
    }

    /// A string.
    pub fn string(&mut self, _value: &CStr) {
        match self.0 {}
    }

    /// An object.
    pub fn object(&mut self, _fill: impl FnOnce(&mut Object<'_>)) {
        match self.0 {}
    }
}
