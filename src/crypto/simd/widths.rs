//! Arithmetic on numbers of many limbs with BMI2, whose product takes any registers and leaves the flags alone. The
//! arithmetic is not here: it is safe code that is compiled a second time, with these instructions.

#[cfg(target_arch = "x86_64")]
mod found {
    use std::sync::OnceLock;

    use super::super::Backend;

    /// Proof that BMI2 was found on this machine.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Bmi2(());

    impl Bmi2 {
        /// The token, if the machine has BMI2 and [`super::super::SWITCH`] does not demand portable code.
        #[inline]
        pub(super) fn chosen() -> Option<Self> {
            static CHOSEN: OnceLock<Option<Bmi2>> = OnceLock::new();
            *CHOSEN.get_or_init(|| {
                let found = is_x86_feature_detected!("bmi2");
                (found && Backend::chosen() != Backend::Portable).then_some(Self(()))
            })
        }

        #[inline(always)]
        pub(super) fn run<T>(self, work: impl FnOnce() -> T) -> T {
            #[target_feature(enable = "bmi2")]
            fn inner<T>(work: impl FnOnce() -> T) -> T {
                work()
            }
            // SAFETY: the token proves that BMI2 is there.
            unsafe { inner(work) }
        }
    }
}

/// Does `work`, which must be inlined whole to gain by it: of what it calls, only that is compiled for the machine's
/// instructions.
#[inline(always)]
pub(in crate::crypto) fn with_wide_products<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = found::Bmi2::chosen() {
        return token.run(work);
    }
    work()
}
